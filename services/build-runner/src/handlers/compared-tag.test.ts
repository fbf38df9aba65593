import { startTestInstallation, type TestInstallation } from '@floy/managers/installation.fixture';
import { openTestRuntime, type TestRuntime } from '@floy/service-kit/test-runtime.fixture';
import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRepository, type TestRepository } from '../git/repository.fixture.js';
import { testRunnerDeps } from '../task/runner-deps.fixture.js';
import type { RunnerDeps } from '../task/runner-deps.js';
import { runTaskHandler } from './run-task.js';

const describeHere = await needsPostgres();

describeHere('the first build of a version', () => {
  let folder: string;
  let repository: TestRepository;
  let commits: [string, string];
  let floy: TestInstallation;
  let runtime: TestRuntime;
  let deps: RunnerDeps;
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'floy-compared-')));
    repository = await makeRepository(join(folder, 'repository'));
    commits = [
      await repository.commit({ 'app.txt': 'one' }),
      await repository.commit({ 'app.txt': 'two' }),
    ];
    floy = await startTestInstallation({ repository: repository.folder, commits });
    runtime = await openTestRuntime(floy.own.url, floy.encryptionKey);
    deps = await testRunnerDeps(runtime.deps, folder);
  });
  afterAll(async () => {
    await runtime?.close();
    await floy?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Builds a version for a new application. */
  async function built(name: string, versionId: string) {
    const application = await floy.applicationId(name, { build_command: 'true' });
    const deployment_id = await floy.ask([application], versionId);
    await floy.begin(deployment_id);
    expect(await runtime.carryOut('run-task', runTaskHandler(deps), { deployment_id })).toBe(
      'done',
    );
    const [task] = await floy.own.query<{ status: string; error_message: string; log: string }>(
      `SELECT status, error_message,
         (SELECT string_agg(text, '' ORDER BY seq) FROM task_logs WHERE task_id = t.id) AS log
       FROM tasks t WHERE deployment_id = $1 AND type = 'build'`,
      [deployment_id],
    );
    return task;
  }

  it('fails where the repository has its tag at another commit, and names both', async () => {
    repository.git('tag', '--annotate', '--message', 'a release', 'v1', commits[1]);
    const task = await built('wrong', floy.versionIds[0]);
    expect(task?.status).toBe('failed');
    expect(task?.error_message).toContain(`tag v1 of ${repository.folder} is at the commit`);
    expect(task?.error_message).toContain(commits[0]);
    expect(task?.error_message).toContain(commits[1]);

    repository.git('tag', '--force', 'v1', commits[0]);
    expect(await built('right', floy.versionIds[0])).toMatchObject({ status: 'success' });
    repository.git('tag', '--force', 'v1', commits[1]);
    const moved = await built('moved', floy.versionIds[0]);
    expect(moved).toMatchObject({ status: 'success', log: expect.not.stringContaining('Note:') });
  });

  it('notes in its log that the repository lacks the tag', async () => {
    const task = await built('untagged', floy.versionIds[1]);
    expect(task?.status).toBe('success');
    expect(task?.log).toContain('Note: the repository has no tag v2; the commit counts\n');
  });
});
