import type { CommandResult } from '@floy/contracts';
import { ConflictError } from '@floy/domain';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { uploadToHost } from '../rollout/upload-to-host.js';
import type { AskedHost } from './asked-hosts.js';
import type { HeldTarget } from './with-targets.js';

/**
 * Sends an artifact of the store to one host ahead of a deployment, below every deploy path that the
 * host has there: a release of it will not send it again.
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
  const here = targets.filter(
    ({ target }) => target.host === asked.host.host && target.port === asked.host.port,
  );
  if (here.length === 0) {
    throw new ConflictError(
      `Nothing has been deployed to ${asked.name} yet: there is no place for an artifact`,
    );
  }
  const paths = here.map(({ target }) => `${target.deploy_path}/.floy/incoming/${sha256}`);
  for (const path of paths) await uploadToHost(deps.hosts, { ...asked.reach, signal }, file, path);
  return { host: asked.name, success: true, output: paths.join('\n'), error: '' };
}
