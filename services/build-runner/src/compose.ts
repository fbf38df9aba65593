import { consume } from '@floy/messaging/consume';
import { openArtifactStore } from '@floy/service-kit/artifact-store';
import type { RunningService, ServiceDeps } from '@floy/service-kit/service';
import { join } from 'node:path';
import { resolveTagHandler } from './handlers/resolve-tag.js';
import { runTaskHandler } from './handlers/run-task.js';
import { packageHosts } from './package/package-address.js';
import { parseBuildUsers } from './sandbox/build-user.js';
import { createSandbox } from './sandbox/sandbox.js';

export interface RunnerConfig {
  artifacts: string;
  /** `FLOY_BUILD_USERS`: whom builds run as where Floy is root. */
  buildUsers: string;
  /** Whether builds run also where they cannot be kept apart. */
  unconfined: boolean;
  /** Whether git may fetch from hosts with private addresses. */
  privateGit: boolean;
  /** What builds must not see besides the artifacts. */
  hidden: readonly string[];
  /** Hosts with private addresses that packages may come from, separated by commas. */
  packageHosts?: string;
  /** How many builds and tests run at once. */
  concurrency?: number;
}

export async function compose(deps: ServiceDeps, config: RunnerConfig): Promise<RunningService> {
  const artifacts = await openArtifactStore(config.artifacts, deps.installation);
  const { unconfined, privateGit } = config;
  const sandbox = await createSandbox({
    users: parseBuildUsers(config.buildUsers),
    unconfined,
    hidden: [config.artifacts, ...config.hidden],
    warn: (message) => deps.logger.warn({}, message),
  });
  const knownHostsFile = join(config.artifacts, 'known_hosts');
  const packageRules = { hosts: packageHosts(config.packageHosts ?? '') };
  const own = { ...deps, artifacts, sandbox, knownHostsFile, privateGit, packageRules };
  const tasks = consume(
    deps,
    'build-runner',
    { 'run-task': runTaskHandler(own) },
    { concurrency: config.concurrency ?? 4 },
  );
  const questions = consume(
    deps,
    'build-questions',
    { 'resolve-tag': resolveTagHandler(own) },
    { concurrency: 4 },
  );
  return {
    async stop() {
      await Promise.all([tasks.stop(), questions.stop()]);
    },
  };
}
