import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { createDatabase, type Database } from '../database.js';
import { readDeploymentInfo, readHealth } from '../read-models/instances.js';
import { cancelDeployment, failDeployment } from './cancel-deployment.js';
import { lockDeployment } from './load-tree.js';
import { refuseOvertaken } from './overtaken.js';
import { createPlayedRollouts, twoTargets, type Fate } from './played-rollout.fixture.js';
import { retryTask, retryWorkflow } from './retry.js';
import { rollbackDeployment } from './rollback-deployment.js';

const describeHere = await needsPostgres();
const [v1, v2] = ['ver_1', 'ver_2'];
/** The new version fails on these targets; what was there before can be brought back. */
const failing =
  (...targets: string[]): Fate =>
  ({ target_id, release_id, content_release_id }, work) =>
    work === 'switching' && release_id === content_release_id && targets.includes(target_id)
      ? 'is broken'
      : undefined;

describeHere('deployments that are retried, cancelled and rolled back', () => {
  let own: TestDatabase;
  let database: Database;
  let played: Awaited<ReturnType<typeof createPlayedRollouts>>;
  beforeAll(async () => {
    own = await createTestDatabase();
    database = createDatabase({ url: own.url, applicationName: 'test' });
    played = await createPlayedRollouts(own, database, ['a', 'b'].map(twoTargets));
  });
  afterAll(async () => {
    await database.close();
    await own.drop();
  });
  beforeEach(async () => {
    expect(await own.query('SELECT * FROM slots')).toEqual([]);
  });

  const retry = (taskId: string) => database.transaction((tx) => retryTask(tx, taskId, 't'));
  const cancel = (id: string, rollback = true) =>
    database.transaction((tx) => cancelDeployment(tx, id, { rollback, actor: 't' }));
  const rollback = (id: string, targetVersionId: string) =>
    database.transaction((tx) => rollbackDeployment(tx, id, { targetVersionId, actor: 't' }));
  const verdictsOf = async (id: string) => {
    const rows = await own.query<{ target_id: string; verdict: string | null }>(
      `SELECT i.target_id, i.verdict FROM release_instances i JOIN releases r ON r.id = i.release_id
       WHERE i.deployment_id = $1 AND NOT r.undo ORDER BY i.target_id, r.id`,
      [id],
    );
    return rows.map(({ target_id, verdict }) => `${target_id} ${verdict}`);
  };

  /** Deploys, played to its end. */
  async function deploy(
    applications: readonly string[],
    version: string,
    fate?: Fate,
    autoRollback?: boolean,
  ) {
    const { id } = await played.create(applications, version);
    expect(await played.start(id, autoRollback)).toBe(true);
    await played.plan(id, applications);
    await played.carryOut(id, fate);
    return id;
  }

  async function goOn(id: string, applications: readonly string[], fate?: Fate): Promise<void> {
    expect(await played.start(id)).toBe(true);
    await played.plan(id, applications);
    await played.carryOut(id, fate);
  }

  it('takes everything that failed along', async () => {
    const id = await deploy(['a', 'b'], v1, failing('a-h1', 'b-h1'));
    expect(await played.tasksOf(id)).toEqual(['a failed', 'b failed']);
    await retry(await played.taskOf(id, 'a'));
    await goOn(id, ['a', 'b']);
    expect(await played.stateOf(id)).toMatchObject({ status: 'success', settled: true });
  });

  it('can be retried again after it was cancelled in the queue, and touches nothing there', async () => {
    const id = await deploy(['a', 'b'], v1, failing('b-h1'), false);
    const other = await played.create(['a'], v2);
    expect(await played.start(other.id)).toBe(true);
    await played.plan(other.id, ['a']);
    await retry(await played.taskOf(id, 'b'));
    expect(await played.start(id)).toBe(false);

    await cancel(id);
    expect(await played.stateOf(id)).toEqual({
      status: 'failed',
      phase: 'done',
      settled: true,
      workflow: 'cancelled',
    });
    expect(await played.tasksOf(id)).toEqual(['a success', 'b failed']);
    expect((await verdictsOf(id)).filter((line) => line.startsWith('a'))).toEqual([
      'a-h1 new',
      'a-h2 new',
    ]);
    const open = await own.query(
      "SELECT 1 FROM release_instances WHERE deployment_id = $1 AND status IN ('staging', 'switching')",
      [id],
    );
    expect(open).toEqual([]);
    await cancel(other.id);
    await played.carryOut(other.id);
    expect(await played.stateOf(other.id)).toMatchObject({ settled: true });

    await retry(await played.taskOf(id, 'b'));
    await goOn(id, ['a', 'b']);
    expect(await played.stateOf(id)).toMatchObject({ status: 'success', workflow: 'success' });
  });

  it('returns what it kept, should it fail', async () => {
    await deploy(['a', 'b'], v1);
    const id = await deploy(['a', 'b'], v2, failing('b-h2'), false);
    await retry(await played.taskOf(id, 'b'));
    await goOn(id, ['a', 'b'], failing('b-h1'));
    expect(await played.stateOf(id)).toMatchObject({ status: 'rolled_back' });
    expect(await verdictsOf(id)).toEqual(
      expect.arrayContaining(['a-h1 reverted', 'a-h2 reverted', 'b-h1 reverted']),
    );
  });

  it('ends where it cannot be planned any more, and can be retried', async () => {
    const id = await deploy(['a', 'b'], v1, failing('b-h1'), false);
    await retry(await played.taskOf(id, 'b'));
    expect(await played.start(id)).toBe(true);
    await database.transaction((tx) => failDeployment(tx, id, 'It goes in a circle'));
    expect(await played.stateOf(id)).toMatchObject({ status: 'failed', settled: true });
    const workflow = await own.query<{ id: string }>(
      'SELECT id FROM workflows WHERE deployment_id = $1',
      [id],
    );
    await database.transaction((tx) => retryWorkflow(tx, workflow[0]?.id ?? '', 't'));
    await goOn(id, ['a', 'b']);
    expect(await played.stateOf(id)).toMatchObject({ status: 'success' });
  });

  it('is refused at its admission where a newer one has reached its targets meanwhile', async () => {
    const id = await deploy(['a', 'b'], v1, failing('b-h1'), false);
    const newer = await played.create(['a'], v2);
    expect(await played.start(newer.id)).toBe(true);
    await retry(await played.taskOf(id, 'b'));
    await played.plan(newer.id, ['a']);
    await played.carryOut(newer.id);
    expect(await played.stateOf(newer.id)).toMatchObject({ status: 'success' });
    const asked = database.transaction(async (tx) => {
      const deployment = await lockDeployment(tx, id);
      if (deployment) await refuseOvertaken(tx, deployment);
    });
    await expect(asked).rejects.toThrow(newer.id);
    await cancel(id);
    await expect(retry(await played.taskOf(id, 'b'))).rejects.toThrow(newer.id);
  });

  it('is not retried into an environment that is not active', async () => {
    const id = await deploy(['a'], v2, failing('a-h1'), false);
    await own.query('UPDATE environments SET is_active = false');
    await expect(retry(await played.taskOf(id, 'a'))).rejects.toThrow('not active');
    await own.query('UPDATE environments SET is_active = true');
  });

  it('is undone also where it was paused', async () => {
    await deploy(['a'], v1);
    const paused = await played.create(['a'], v2);
    await played.start(paused.id);
    await played.plan(paused.id, ['a']);
    await played.carryOut(paused.id, async (_, work) => {
      if (work === 'switching') await played.steer(paused.id, 'pause');
      return undefined;
    });
    await cancel(paused.id);
    await played.carryOut(paused.id);
    expect(await played.stateOf(paused.id)).toEqual({
      status: 'failed',
      phase: 'done',
      settled: true,
      workflow: 'cancelled',
    });
    expect(await verdictsOf(paused.id)).toContain('a-h1 reverted');
  });

  it('is rolled back only while it is live', async () => {
    const first = await deploy(['a'], v1);
    const second = await deploy(['a'], v2);
    await expect(rollback(first, v1)).rejects.toThrow('not live');
    const never = await played.create(['a'], v1);
    await cancel(never.id);
    await expect(rollback(never.id, v1)).rejects.toThrow('not live');

    const back = await rollback(second, v1);
    await goOn(back.id, ['a']);
    expect(await played.stateOf(second)).toMatchObject({ status: 'rolled_back' });
    const ready = { replicas: 2, ready_replicas: 2 };
    expect(await readDeploymentInfo(database.knex, back.id)).toMatchObject(ready);
    expect(await readHealth(database.knex, second)).toMatchObject({ healthy: false });
    await expect(rollback(second, v1)).rejects.toMatchObject({ details: { live: back.id } });
  });
});
