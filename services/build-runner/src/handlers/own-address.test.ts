import { repositoryKey } from '@floy/contracts';
import { startSshdFleet } from '@floy/local-servers/sshd';
import { startTestInstallation, type TestInstallation } from '@floy/managers/installation.fixture';
import { openTestRuntime, type TestRuntime } from '@floy/service-kit/test-runtime.fixture';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { makeRepository } from '../git/repository.fixture.js';
import { testRunnerDeps } from '../task/runner-deps.fixture.js';
import type { RunnerDeps } from '../task/runner-deps.js';
import { runTaskHandler } from './run-task.js';

const describeHere = await needsSshd();

describeHere('a deployer who ships another repository by an address with the same key', () => {
  let folder: string;
  let fleet: Awaited<ReturnType<typeof startSshdFleet>>;
  let own: string;
  let floy: TestInstallation;
  let runtime: TestRuntime;
  let deps: RunnerDeps;
  let contacts = 0;
  const other = createServer((socket) => {
    contacts += 1;
    socket.destroy();
  });
  const otherPort = () => (other.address() as AddressInfo).port;
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'floy-own-address-')));
    await chmod(folder, 0o755);
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const commits: string[] = [];
    for (const name of ['web', 'web.git', 'WEB']) {
      const repository = await makeRepository(join(folder, name));
      commits.push(await repository.commit({ 'app.txt': name }, name));
    }
    fleet = await startSshdFleet({ folder: join(folder, 'fleet'), hosts: 1 });
    own = `ssh://${fleet.user}@127.0.0.1:${fleet.hosts[0]?.port}${folder}/web`;
    floy = await startTestInstallation({ repository: own, commits: [commits[0]!, commits[1]!] });
    runtime = await openTestRuntime(floy.own.url, floy.encryptionKey);
    deps = await testRunnerDeps(runtime.deps, folder);
  });
  afterAll(async () => {
    await runtime?.close();
    await floy?.stop();
    await fleet?.stop();
    await new Promise((resolve) => other.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });

  /** Builds a new application whose version was made with another address. */
  async function built(name: string, address: string, version: 0 | 1 = 0, repository = own) {
    expect(repositoryKey(address)).toBe(repositoryKey(repository));
    const versionId = floy.versionIds[version];
    await floy.own.query('UPDATE versions SET repository = $1 WHERE id = $2', [address, versionId]);
    const application = await floy.applicationId(name, { git_ssh_key: fleet.privateKey });
    await floy.own.query('UPDATE applications SET repository = $1 WHERE id = $2', [
      repository,
      application,
    ]);
    const deployment_id = await floy.ask([application], versionId);
    await floy.begin(deployment_id);
    expect(await runtime.carryOut('run-task', runTaskHandler(deps), { deployment_id })).toBe(
      'done',
    );
    const [task] = await floy.own.query<{ status: string; artifact_sha256: string | null }>(
      "SELECT status, artifact_sha256 FROM tasks WHERE deployment_id = $1 AND type = 'build'",
      [deployment_id],
    );
    if (!task?.artifact_sha256) return { status: task?.status };
    const { stream } = await deps.artifacts.open(task.artifact_sha256);
    const input = await buffer(stream());
    const text = execFileSync('tar', ['-xzO', '--wildcards', '*app.txt'], { input });
    return { status: task.status, text: String(text) };
  }

  it.each([
    ['another port and user', () => `ssh://root@127.0.0.1:${otherPort()}${folder}/web`],
    ['another case and suffix', () => `ssh://127.0.0.1:${otherPort()}${folder}/WEB.git`],
    ['another scheme', () => `https://localhost@127.0.0.1:${otherPort()}${folder}/web.git`],
    ['the short form', () => `git@127.0.0.1:${folder.slice(1)}/web.git`],
  ])('%s: the key of the application goes to no other server', async (name, address) => {
    expect(await built(name.replaceAll(' ', '-'), address())).toEqual({
      status: 'success',
      text: 'web',
    });
    expect(contacts).toBe(0);
  });

  it('a folder beside it: its commit is not found in the repository of the application', async () => {
    const paths = `${folder}/web`;
    const sibling = await built('sibling', `${folder}/web.git`, 1, paths);
    expect(sibling).toEqual({ status: 'failed' });
    expect(await built('itself', `${folder}/web.git`, 0, paths)).toEqual({
      status: 'success',
      text: 'web',
    });
  });
});
