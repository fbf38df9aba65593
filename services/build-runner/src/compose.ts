import { consume } from '@floy/messaging/consume';
import { createFolderArtifactStore } from '@floy/service-kit/artifact-store';
import type { RunningService, ServiceDeps } from '@floy/service-kit/service';
import { join } from 'node:path';
import { runTaskHandler } from './handlers/run-task.js';
import { packageHosts } from './package/package-address.js';
import { findBuildUser } from './sandbox/build-user.js';
import { createSandbox } from './sandbox/sandbox.js';

export interface RunnerConfig {
  artifacts: string;
  buildUser: string;
  /** Hosts with private addresses that packages may come from, separated by commas. */
  packageHosts?: string;
  /** How many builds and tests run at once. */
  concurrency?: number;
}

export async function compose(deps: ServiceDeps, config: RunnerConfig): Promise<RunningService> {
  const artifacts = createFolderArtifactStore(config.artifacts);
  await artifacts.checkInstallation(deps.installation);
  const user = await findBuildUser(config.buildUser);
  const sandbox = await createSandbox({ user, warn: (message) => deps.logger.warn({}, message) });
  const knownHostsFile = join(config.artifacts, 'known_hosts');
  const packageRules = { hosts: packageHosts(config.packageHosts ?? '') };
  const consumer = consume(
    deps,
    'build-runner',
    { 'run-task': runTaskHandler({ ...deps, artifacts, sandbox, knownHostsFile, packageRules }) },
    { concurrency: config.concurrency ?? 4 },
  );
  return { stop: () => consumer.stop() };
}
