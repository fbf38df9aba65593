import type { DeploymentTimes } from '@floy/database/read-models/deployment-times';
import { startTestInstallation, type TestInstallation } from '@floy/managers/installation.fixture';
import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { deploymentEndedHandler } from './deployment-ended.js';

const describeHere = await needsPostgres();

describeHere('deployment-ended', () => {
  let floy: TestInstallation;
  let settled: DeploymentTimes[];
  beforeAll(async () => {
    floy = await startTestInstallation();
  });
  afterAll(() => floy.stop());

  const handler = deploymentEndedHandler((times) => settled.push(times));
  const handle = (deployment_id: string) => {
    settled = [];
    return floy.database.transaction((tx) => handler.handle(tx, { deployment_id }));
  };
  /** How often each was told to look whether its turn has come. */
  const wokenOf = async (...ids: string[]): Promise<number[]> => {
    const rows = await floy.own.query<{ subject: string }>(
      "SELECT subject FROM messages WHERE kind = 'start-deployment'",
    );
    return ids.map((id) => rows.filter(({ subject }) => subject === id).length);
  };

  it('wakes who waits behind it and nobody else, and tells how long it took', async () => {
    const application = await floy.applicationId('api');
    const ended = await floy.ask([application]);
    const next = await floy.ask([application]);
    const last = await floy.ask([application]);
    const other = await floy.ask([await floy.applicationId('other')]);
    for (const id of [ended, next, last]) await floy.deployments.startDeployment(id);
    await floy.deployments.cancelDeployment(floy.actor, ended);
    expect(await wokenOf(next, last, other)).toEqual([1, 1, 1]);

    expect(await handle(ended)).toEqual({ done: true });
    expect(await wokenOf(next, last, other)).toEqual([2, 1, 1]);
    expect(settled).toEqual([
      expect.objectContaining({ cancelled: true, settledAt: expect.any(Date) }),
    ]);

    // Where the one that was woken has begun, there is nobody left to wake.
    expect(await floy.deployments.startDeployment(next)).toBe('admitted');
    expect(await handle(ended)).toEqual({ done: true });
    expect(await wokenOf(next, last, other)).toEqual([2, 1, 1]);
  });

  it('has nobody to wake behind one that nobody waited for, or that is not there', async () => {
    const before = await floy.own.query('SELECT id FROM messages ORDER BY id');
    expect(await handle('dep_none')).toEqual({ done: true });
    expect(settled).toEqual([]);
    expect(await floy.own.query('SELECT id FROM messages ORDER BY id')).toEqual(before);
  });

  it('given up, changes nothing: each that waits looks again by itself', async () => {
    const application = await floy.applicationId('given-up');
    const ended = await floy.ask([application]);
    const next = await floy.ask([application]);
    for (const id of [ended, next]) await floy.deployments.startDeployment(id);
    await floy.deployments.cancelDeployment(floy.actor, ended);
    const before = [await floy.recordOf(ended), await floy.recordOf(next)];
    await floy.database.transaction((tx) =>
      handler.dead(tx, { deployment_id: ended }, 'a test said so'),
    );
    expect([await floy.recordOf(ended), await floy.recordOf(next)]).toEqual(before);
  });
});
