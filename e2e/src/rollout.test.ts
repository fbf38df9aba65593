import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { needsSshd } from '@floy/testing/needs';
import { readLedger, runningOn } from './stage/application.js';
import { setStage, type Stage } from './stage/stage.js';

const describeHere = await needsSshd();

describeHere('a version on its way to hosts', () => {
  let stage: Stage;
  beforeAll(async () => {
    const tags = ['v1.0.0', 'v1.1.0', 'v1.2.0-broken', 'v1.3.0'];
    stage = await setStage({ queue: 'redis', hosts: 2, tags, restartSeconds: 1 });
  }, 60_000);
  afterAll(() => stage.stop(), 30_000);

  const runningEverywhere = () => Promise.all(stage.places().map(runningOn));

  it('is built, rolled out and seen on every host', async () => {
    const { id } = await stage.deploy('v1.0.0');
    expect(await stage.settled(id)).toMatchObject({ status: 'success', error_message: '' });
    expect(await runningEverywhere()).toEqual(['v1.0.0', 'v1.0.0']);
    const tasks = await stage.fleet.client.listTasks({ deployment_id: id });
    expect(tasks.tasks.map(({ type, status }) => `${type} ${status}`).sort()).toEqual([
      'build success',
      'deploy success',
    ]);
  }, 60_000);

  it('replaces the version before it', async () => {
    const { id } = await stage.deploy('v1.1.0');
    expect(await stage.settled(id)).toMatchObject({ status: 'success' });
    expect(await runningEverywhere()).toEqual(['v1.1.0', 'v1.1.0']);
  }, 60_000);

  it('is undone by itself when it is not healthy', async () => {
    const { id } = await stage.deploy('v1.2.0-broken');
    const end = await stage.settled(id);
    expect(end.status).toBe('rolled_back');
    expect(end.error_message).toContain('it is broken');
    expect(await runningEverywhere()).toEqual(['v1.1.0', 'v1.1.0']);
    const verdicts = await stage.fleet.query<{ verdict: string }>(
      `SELECT i.verdict FROM release_instances i JOIN releases r ON r.id = i.release_id
       WHERE i.deployment_id = $1 AND NOT r.undo ORDER BY i.position`,
      [id],
    );
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(['reverted', 'untouched']);
  }, 60_000);

  it('is not built again at the same commit with the same settings', async () => {
    const { id } = await stage.deploy('v1.0.0');
    expect(await stage.settled(id)).toMatchObject({ status: 'success' });
    const { tasks } = await stage.fleet.client.listTasks({ deployment_id: id, type: 'build' });
    expect(JSON.parse(tasks[0]?.result ?? '{}')).toMatchObject({ reused: true });
  }, 60_000);

  it('can be rolled back to, with what is still on the hosts', async () => {
    const { deployments } = await stage.fleet.client.listDeployments({
      status: 'success',
      page_size: 1,
    });
    const live = deployments[0]?.id ?? '';
    const rollback = await stage.fleet.client.rollbackDeployment(
      live,
      stage.versionIds.get('v1.1.0') ?? '',
    );
    expect(await stage.settled(rollback.id)).toMatchObject({ status: 'success' });
    expect(await runningEverywhere()).toEqual(['v1.1.0', 'v1.1.0']);
    expect(await stage.fleet.client.getDeployment(live)).toMatchObject({ status: 'rolled_back' });
    const { tasks } = await stage.fleet.client.listTasks({ deployment_id: rollback.id });
    expect(tasks.map(({ type }) => type)).toEqual(['deploy']);
  }, 60_000);

  it('never has two restarts at once on a host, also where one is cut off by a cancel', async () => {
    const { id } = await stage.deploy('v1.3.0');
    await stage.reaches(id, 'restarting');
    await stage.fleet.client.cancelDeployment(id);
    expect(await stage.settled(id)).toMatchObject({ status: 'failed' });
    expect(await runningEverywhere()).toEqual(['v1.1.0', 'v1.1.0']);
    const ledgers = (await Promise.all(stage.places().map(readLedger))).flat();
    expect(ledgers.filter(({ what }) => what === 'OVERLAP')).toEqual([]);
    const cut = ledgers.filter(({ version }) => version === 'v1.3.0').map(({ what }) => what);
    expect(cut).toEqual(['begin']);
  }, 60_000);
});
