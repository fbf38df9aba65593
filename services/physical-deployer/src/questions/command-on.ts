import type { CommandResult } from '@floy/contracts';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { runOnHost } from '../rollout/run-on-host.js';
import type { AskedHost } from './asked-hosts.js';

/** Runs an admin's command in the home folder of a host's user. */
export async function commandOn(
  deps: DeployerDeps,
  asked: AskedHost,
  command: string,
  timeoutSeconds: number,
  signal: AbortSignal,
): Promise<CommandResult> {
  const reach = { ...asked.reach, signal };
  const { exitCode, stdout, stderr } = await runOnHost(deps.hosts, reach, command, {
    timeoutSeconds,
  });
  const how =
    exitCode === 124 ? `did not end within ${timeoutSeconds} s` : `exited with ${exitCode}`;
  const error = exitCode === 0 ? stderr : stderr || how;
  return { host: asked.name, success: exitCode === 0, output: stdout, error };
}
