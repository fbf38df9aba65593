import { hostPlaceOf, type CommandResult } from '@floy/contracts';
import { ConflictError } from '@floy/domain';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { receiveAhead } from '../commands/receive.js';
import { checkedPath } from '../rollout/host-work.js';
import { sendArtifact } from '../rollout/send-artifact.js';
import { isOn, type AskedHost } from './asked-hosts.js';
import type { HeldTarget } from './with-targets.js';

/**
 * Sends an artifact of the store to one host ahead of a deployment, below every deploy path that the
 * host has there: a release of it within a day will not send it again.
 */
export async function uploadArtifact(
  deps: DeployerDeps,
  asked: AskedHost,
  targets: HeldTarget[],
  sha256: string,
  signal: AbortSignal,
): Promise<CommandResult> {
  const stored = await deps.artifacts.open(sha256);
  const file = { sha256, size: stored.size, open: () => stored.stream() };
  const here = targets.filter(({ target }) => isOn(asked, target));
  if (here.length === 0) {
    throw new ConflictError(
      `Nothing has been deployed to ${asked.name} yet: there is no place for an artifact`,
    );
  }
  const paths: string[] = [];
  for (const { target, epoch } of here) {
    const lock = {
      deployPath: checkedPath(hostPlaceOf(target.place).deploy_path),
      installation: deps.installation,
      epoch: BigInt(epoch),
    };
    await sendArtifact(deps.hosts, { ...asked.reach, signal }, file, receiveAhead(lock, file));
    paths.push(`${lock.deployPath}/.floy/incoming/${sha256}`);
  }
  return { host: asked.name, success: true, output: paths.join('\n'), error: '' };
}
