import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { TaskScheduler } from '@floy/contracts';
import { createDatabase, type Database } from '../database.js';
import { taskScheduler } from './advance.js';
import { createPlayedRollouts } from './played-rollout.fixture.js';

const describeHere = await needsPostgres();

describeHere('the TaskScheduler', () => {
  let own: TestDatabase;
  let database: Database;
  let played: Awaited<ReturnType<typeof createPlayedRollouts>>;
  const names = ['api', 'web', 'late'];
  beforeAll(async () => {
    own = await createTestDatabase();
    database = createDatabase({ url: own.url, applicationName: 'test' });
    played = await createPlayedRollouts(
      own,
      database,
      names.map((id) => ({ id, targets: [`${id}-h1`], builds: true })),
    );
  });
  afterAll(async () => {
    await database.close();
    await own.drop();
  });

  const within = <T>(act: (scheduler: TaskScheduler) => Promise<T>): Promise<T> =>
    database.transaction((tx) => act(taskScheduler(tx)));
  async function planned(name: string): Promise<string> {
    const { id } = await played.create([name], 'ver_1');
    await played.start(id);
    await played.plan(id, [name]);
    return id;
  }
  const messages = (kind: string, deployment: string) =>
    own.query("SELECT subject FROM messages WHERE kind = $1 AND payload->>'deployment_id' = $2", [
      kind,
      deployment,
    ]);

  it('hands a task out once, however often it is asked to', async () => {
    const id = await planned('api');
    const [build, deploy] = await within((scheduler) => scheduler.getTasksByDeployment(id));
    await within((scheduler) => scheduler.scheduleTask({ id: build?.id ?? '' }));
    expect(await messages('run-task', id)).toEqual([{ subject: build?.id }]);
    expect([build?.type, deploy?.type]).toEqual(['build', 'deploy']);
    await within((scheduler) => scheduler.scheduleTask({ id: 'task_none' }));
  });

  it('knows the task that waits longest for a runner', async () => {
    const first = await within((scheduler) => scheduler.getNextTask());
    expect(first).toMatchObject({ type: 'build', application_id: 'api', status: 'pending' });
    await planned('web');
    expect((await within((scheduler) => scheduler.getNextTask()))?.id).toBe(first?.id);
  });

  it('writes how a task ended and keeps what later work reads; the next task follows', async () => {
    const build = await within((scheduler) => scheduler.getNextTask());
    const id = build?.deployment_id ?? '';
    const kept = { artifact_sha256: 'b'.repeat(64), commit: 'abc1234' };
    await within((scheduler) =>
      scheduler.updateTaskStatus(build?.id ?? '', 'success', '{"made": "it"}', kept),
    );
    const [done, deploy] = await within((scheduler) => scheduler.getTasksByDeployment(id));
    expect(done).toMatchObject({ status: 'success', result: '{"made": "it"}' });
    expect(deploy).toMatchObject({ status: 'running' });
    const releases = 'SELECT artifact_sha256 FROM releases WHERE deployment_id = $1';
    expect(await own.query(releases, [id])).toEqual([{ artifact_sha256: 'b'.repeat(64) }]);
    expect(await messages('stage-instance', id)).toHaveLength(1);
  });

  it('changes nothing where the task has ended, and makes none pending', async () => {
    const id = await planned('late');
    const [build] = await within((scheduler) => scheduler.getTasksByDeployment(id));
    await played.cancel(id);
    await within((scheduler) => scheduler.updateTaskStatus(build?.id ?? '', 'success', '{}'));
    const [after] = await within((scheduler) => scheduler.getTasksByDeployment(id));
    expect(after?.status).toBe('failed');
    const pending = within((scheduler) =>
      scheduler.updateTaskStatus(build?.id ?? '', 'pending', ''),
    );
    await expect(pending).rejects.toThrow('by a retry');
  });
});
