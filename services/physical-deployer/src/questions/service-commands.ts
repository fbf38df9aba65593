import type { CommandResult, ServiceStatus } from '@floy/contracts';
import { ConflictError, LeaseLostError, VerdictError } from '@floy/domain';
import type { Redactor } from '@floy/secrets/redaction';
import { commandStep } from '../commands/commands.js';
import { assign } from '../commands/assign.js';
import { enterRelease } from '../commands/environment.js';
import { LOOK_INTO_PLACE } from '../commands/own-folders.js';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { runOnHost } from '../rollout/run-on-host.js';
import { runStep } from '../rollout/run-step.js';
import { quote } from '../ssh/quote.js';
import type { AskedHost } from './asked-hosts.js';
import { runningRelease, type ServiceAsked } from './running-release.js';
import type { HeldTarget } from './with-targets.js';

/** Asks one host how a service is, by its status command and, where there is one, systemd. */
export async function serviceStatus(
  deps: DeployerDeps,
  asked: AskedHost,
  of: ServiceAsked,
  timeoutSeconds: number,
): Promise<ServiceStatus> {
  const { settings, place } = await runningRelease(deps, asked, of);
  const script = `refuse() { echo "$2" >&2; exit 1; }
${assign({ deploy_path: place.deployPath })}
${LOOK_INTO_PLACE}
folder=$deploy_path/current
${enterRelease(place)}
(eval ${quote(settings.statusCommand)}
)
code=$?
show() { systemctl show -p "$1" --value -- ${quote(settings.serviceName)} 2>/dev/null; }
printf '\\nfloy-code %s\\nfloy-pid %s\\nfloy-since %s\\n' "$code" "$(show MainPID)" "$(show ActiveEnterTimestamp)"`;
  const { stdout, stderr } = await runOnHost(deps.hosts, asked.reach, script, { timeoutSeconds });
  const end = stdout.lastIndexOf('\nfloy-code');
  const facts = end < 0 ? '' : stdout.slice(end);
  const lines = facts.split('\n');
  const fact = (name: string) => {
    const begin = `floy-${name} `;
    return lines.find((line) => line.startsWith(begin))?.slice(begin.length) ?? '';
  };
  const running = fact('code') === '0';
  const said = (end < 0 ? stdout : stdout.slice(0, end)).trim() || stderr.trim();
  return {
    host: asked.name,
    running,
    status: said || (running ? 'active' : 'inactive'),
    pid: running && /^\d{1,9}$/.test(fact('pid')) ? Number(fact('pid')) : 0,
    uptime: running ? fact('since') : '',
  };
}

/** The right to restart: whose it is, and the targets that are held. */
export interface Restart {
  readonly id: string;
  readonly targets: readonly HeldTarget[];
  readonly redactor: Redactor;
  readonly signal: AbortSignal;
  readonly timeoutSeconds: number;
}

/**
 * Restarts a service on one host by a step, as a release does: the host refuses it where a later
 * worker has the target, and a restart that takes too long is ended.
 */
export async function restartService(
  deps: DeployerDeps,
  asked: AskedHost,
  of: ServiceAsked,
  { id, targets, redactor, signal, timeoutSeconds }: Restart,
): Promise<CommandResult> {
  const { settings, place, target } = await runningRelease(deps, asked, of);
  const held = targets.find((each) => each.target.id === target.id);
  if (!held) throw new ConflictError(`${asked.name} has another place of this service by now`);
  const work = {
    ...asked.reach,
    id,
    installation: deps.installation,
    epoch: BigInt(held.epoch),
    signal,
    redactor,
    beforeStep: async () => signal.throwIfAborted(),
    log: () => undefined,
  };
  const script = commandStep(place, 'current', settings.restartCommand);
  // A release whose worker has died is taken over: its step is not ended for a question.
  const step = { name: 'restart', script, timeoutSeconds, yields: true } as const;
  try {
    const output = await runStep(deps.hosts.pool, work, place.deployPath, step);
    return { host: asked.name, success: true, output, error: '' };
  } catch (error) {
    if (error instanceof LeaseLostError) {
      throw new ConflictError(`A release is at work on ${asked.name}: ask again after it`);
    }
    if (!(error instanceof VerdictError)) throw error;
    const { output } = error.details as { output?: string };
    return { host: asked.name, success: false, output: output ?? '', error: error.message };
  }
}
