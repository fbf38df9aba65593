import { revokeLeases } from '@floy/database/leases';
import { startTestInstallation, type TestInstallation } from '@floy/managers/installation.fixture';
import { openTestRuntime, type TestRuntime } from '@floy/service-kit/test-runtime.fixture';
import { needsPostgres } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { makeRepository } from '../git/repository.fixture.js';
import { testRunnerDeps } from '../task/runner-deps.fixture.js';
import type { RunnerDeps } from '../task/runner-deps.js';
import { runTaskHandler } from './run-task.js';

const describeHere = await needsPostgres();

interface TaskSeen {
  id: string;
  type: string;
  status: string;
  result: string;
  error_message: string;
  artifact_sha256: string | null;
  commit: string | null;
}

describeHere('run-task', () => {
  let folder: string;
  let commits: [string, string];
  let floy: TestInstallation;
  let runtime: TestRuntime;
  let deps: RunnerDeps;
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'floy-run-task-')));
    const repository = await makeRepository(join(folder, 'repository'));
    const commitOf = async (tag: string) => {
      const commit = await repository.commit({ 'app.txt': tag });
      repository.git('tag', tag);
      return commit;
    };
    commits = [await commitOf('v1'), await commitOf('v2')];
    const config = { env: { PLACE: 'production' }, secrets: { TOKEN: 'of production' } };
    floy = await startTestInstallation({ repository: repository.folder, commits, config });
    runtime = await openTestRuntime(floy.own.url, floy.encryptionKey);
    deps = await testRunnerDeps(runtime.deps, folder);
  });
  afterAll(async () => {
    await runtime.close();
    await floy.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** A deployment of a new application whose first task waits for a runner. */
  async function planned(name: string, config: Record<string, unknown>): Promise<string> {
    const id = await floy.ask([await floy.applicationId(name, config)]);
    await floy.begin(id);
    return id;
  }
  const carryOut = (deployment_id: string) =>
    runtime.carryOut('run-task', runTaskHandler(deps), { deployment_id });
  const tasksOf = (id: string) =>
    floy.own.query<TaskSeen>('SELECT * FROM tasks WHERE deployment_id = $1 ORDER BY position', [
      id,
    ]);
  async function firstOf(id: string): Promise<TaskSeen> {
    const [task] = await tasksOf(id);
    if (!task) throw new Error(`${id} has no task`);
    return task;
  }
  async function logOf(taskId: string): Promise<string> {
    const pieces = await floy.own.query<{ text: string }>(
      'SELECT text FROM task_logs WHERE task_id = $1 ORDER BY seq',
      [taskId],
    );
    return pieces.map(({ text }) => text).join('');
  }
  /** The checkouts of this process that are there now. */
  async function checkouts(): Promise<string[]> {
    const found: string[] = [];
    for (const name of await readdir(tmpdir())) {
      if (!name.startsWith(`floy-task-${process.pid}.`)) continue;
      const [own = ''] = await readdir(join(tmpdir(), name));
      found.push(join(tmpdir(), name, own, 'source'));
    }
    return found;
  }
  const leaseOf = async (taskId: string) =>
    (await floy.own.query('SELECT holder FROM leases WHERE subject = $1', [taskId]))[0];
  const openMessages = (taskId: string) =>
    floy.own.query<{ claims: number }>(
      "SELECT claims FROM messages WHERE kind = 'run-task' AND subject = $1 AND done_at IS NULL",
      [taskId],
    );

  it('builds: artifact, build and status are written, and the test is handed out', async () => {
    const id = await planned('api', {
      build_command: 'mkdir dist && cp app.txt dist && echo "$PASSWORD" && echo built',
      artifact_path: 'dist',
      test_command: 'tar -tzf "$FLOY_ARTIFACT" | grep app.txt',
      secrets: { PASSWORD: 'a very secret word' },
    });
    expect(await carryOut(id)).toBe('done');
    const [build, test] = await tasksOf(id);
    const sha256 = build?.artifact_sha256 ?? '';
    expect(build).toMatchObject({ status: 'success', commit: commits[0] });
    expect(JSON.parse(build?.result ?? '')).toMatchObject({ sha256, commit: commits[0] });
    const { stream } = await deps.artifacts.open(sha256);
    const files = execFileSync('tar', ['-xzO'], { input: await buffer(stream()) });
    expect(String(files)).toBe('v1');
    expect(
      await floy.own.query('SELECT commit FROM builds WHERE artifact_sha256 = $1', [sha256]),
    ).toEqual([{ commit: commits[0] }]);
    const log = await logOf(build?.id ?? '');
    expect(log).toMatch(/^built$/m);
    expect(log).not.toContain('very secret');
    expect(await leaseOf(build?.id ?? '')).toEqual({ holder: null });
    expect(await openMessages(build?.id ?? '')).toEqual([]);

    expect(test).toMatchObject({ type: 'test', status: 'pending' });
    expect(await carryOut(id)).toBe('done');
    expect(await tasksOf(id)).toMatchObject([
      { type: 'build', status: 'success' },
      { type: 'test', status: 'success', commit: commits[0] },
      { type: 'deploy', status: 'running' },
    ]);
  });

  it('a build that looks for the environment it is made for finds nothing of it', async () => {
    const id = await planned('looking', {
      build_command: 'env | sort; test -z "$TOKEN$PLACE$FLOY_ENVIRONMENT"',
      test_command: 'test -z "$TOKEN$PLACE$FLOY_ENVIRONMENT"; test "$OWN" = "v1 at production"',
      env: { OWN: '{{git_tag}} at {{environment}}', ON_HOSTS: '{{host}}' },
    });
    expect(await carryOut(id)).toBe('done');
    const [build] = await tasksOf(id);
    const log = await logOf(build?.id ?? '');
    const lines = log.split('\n').filter((line) => /^(FLOY_|OWN|ON_HOSTS|PLACE|TOKEN)/.test(line));
    expect(lines).toEqual([
      'FLOY_APPLICATION=looking',
      `FLOY_GIT_COMMIT=${commits[0]}`,
      'FLOY_GIT_TAG=v1',
      'FLOY_VERSION=v1',
      'OWN=v1 at production',
    ]);
    expect(await carryOut(id)).toBe('done');
    expect(await tasksOf(id)).toMatchObject([{ status: 'success' }, { status: 'success' }, {}]);
  });

  it('ends what the build or the test said no to, at once and for good', async () => {
    for (const [name, config, says] of [
      ['no-build', { build_command: 'echo nothing to see; exit 3' }, 'build_command'],
      ['no-test', { test_command: 'exit 4' }, 'test_command'],
    ] as const) {
      const id = await planned(name, config);
      if (name === 'no-test') expect(await carryOut(id)).toBe('done');
      expect(await carryOut(id)).toBe('done');
      const failed = (await tasksOf(id)).find(({ status }) => status === 'failed');
      expect(failed?.error_message).toContain(says);
      expect(JSON.parse(failed?.result ?? '')).toMatchObject({ code: 'TASK_FAILED' });
      expect(await openMessages(failed?.id ?? '')).toEqual([]);
      expect(await floy.statusOf(id)).toBe('failed');
    }
  });

  it('a test that failed says in its error_message what it printed last, without secrets', async () => {
    const id = await planned('failing', {
      test_command:
        'seq 1 30; printf "\\033[31mexpected 2 to be 3 (%s)\\033[0m\\n\\n" "$PASSWORD"; exit 1',
      secrets: { PASSWORD: 'a very secret word' },
    });
    expect(await carryOut(id)).toBe('done');
    expect(await carryOut(id)).toBe('done');
    const [, test] = await tasksOf(id);
    const lines = Array.from({ length: 19 }, (_, n) => `${n + 12}\n`).join('');
    const message = `test_command ended with exit code 1\n${lines}expected 2 to be 3 (***)`;
    expect(test).toMatchObject({ status: 'failed', error_message: message });
    expect(JSON.parse(test?.result ?? '')).toMatchObject({ message });
    // The log has them once.
    expect((await logOf(test?.id ?? '')).match(/to be 3 \(\*\*\*\)/g)).toHaveLength(1);
  });

  it('a test that misses what the build installed is told that its checkout is another', async () => {
    const id = await planned('missing', {
      build_command: 'mkdir bin && printf "exit 0" >bin/tool && chmod +x bin/tool',
      test_command: 'PATH=bin:$PATH; tool',
    });
    expect(await carryOut(id)).toBe('done');
    expect(await carryOut(id)).toBe('done');
    const [, test] = await tasksOf(id);
    expect(test?.error_message).toMatch(
      /exit code 127: .*tests run in a checkout of their own, without what the build made/,
    );
    expect(test?.error_message).toMatch(/tool: .*not found$/);
  });

  it('writes nothing when its lease is lost in the middle; who takes it over does', async () => {
    const id = await planned('lost', {
      build_command: 'echo begun; until [ -e go ]; do sleep 0.1; done',
    });
    const task = await firstOf(id);
    const lost = carryOut(id);
    await waitFor('the build to begin', async () => /^begun$/m.test(await logOf(task.id)));
    const running = await floy.recordOf(id);
    await floy.database.transaction((tx) => revokeLeases(tx, [task.id]));
    expect(await lost).toBe('lost');
    expect(await floy.recordOf(id)).toEqual(running);
    expect(await firstOf(id)).toMatchObject({ status: 'running', result: '' });
    expect(await openMessages(task.id)).toEqual([{ claims: 1 }]);

    const again = carryOut(id);
    await waitFor('the build to begin again', async () => {
      return (await logOf(task.id)).match(/^begun$/gm)?.length === 2;
    });
    for (const source of await checkouts()) await writeFile(join(source, 'go'), '');
    expect(await again).toBe('done');
    expect(await firstOf(id)).toMatchObject({ status: 'success' });
    expect(await openMessages(task.id)).toEqual([]);
  });

  it('has nothing to do for a task that has ended meanwhile', async () => {
    const id = await planned('cancelled', { build_command: 'echo never' });
    await floy.deployments.cancelDeployment(floy.actor, id);
    const { tasks, events } = (await floy.recordOf(id)) as Record<string, unknown>;
    expect(await carryOut(id)).toBe('done');
    expect(await floy.recordOf(id)).toMatchObject({ tasks, events });
    const { id: taskId } = await firstOf(id);
    expect(await logOf(taskId)).toBe('');
    expect(await leaseOf(taskId)).toBeUndefined();
    expect(await openMessages(taskId)).toEqual([]);
  });

  it('given up, fails the task, saying why; one that has ended stays as it is', async () => {
    const id = await planned('given-up', { build_command: 'echo never' });
    const { id: task_id } = await firstOf(id);
    await floy.own.query('UPDATE messages SET claims = 10 WHERE subject = $1', [task_id]);
    expect(await carryOut(id)).toBe('dead');
    expect(await firstOf(id)).toMatchObject({
      status: 'failed',
      error_message: 'The task was given up: given up after it was begun 10 times',
    });
    expect(await floy.statusOf(id)).toBe('failed');
    const ended = await floy.recordOf(id);
    await floy.database.transaction((tx) =>
      runTaskHandler(deps).dead(tx, { task_id, deployment_id: id }, 'again'),
    );
    expect(await floy.recordOf(id)).toEqual(ended);
  });
});
