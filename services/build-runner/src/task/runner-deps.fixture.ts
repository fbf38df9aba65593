import { createFolderArtifactStore } from '@floy/service-kit/artifact-store';
import type { ServiceDeps } from '@floy/service-kit/service';
import { join } from 'node:path';
import { createSandbox } from '../sandbox/sandbox.js';
import { TEST_USERS } from '../sandbox/users.fixture.js';
import type { RunnerDeps } from './runner-deps.js';

/** What handlers of a test's runner need, with artifacts below `folder` and builds unconfined. */
export async function testRunnerDeps(deps: ServiceDeps, folder: string): Promise<RunnerDeps> {
  return {
    ...deps,
    artifacts: createFolderArtifactStore(join(folder, 'artifacts')),
    sandbox: await createSandbox({ users: TEST_USERS, unconfined: true }),
    knownHostsFile: join(folder, 'known_hosts'),
    privateGit: true,
    packageRules: { hosts: new Set() },
  };
}
