import { startTestInstallation, type TestInstallation } from '@floy/managers/installation.fixture';
import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startDeploymentHandler } from './start-deployment.js';

const describeHere = await needsPostgres();

describeHere('start-deployment', () => {
  let floy: TestInstallation;
  beforeAll(async () => {
    floy = await startTestInstallation();
  });
  afterAll(() => floy.stop());

  const handle = (deployment_id: string) =>
    floy.database.transaction((tx) =>
      startDeploymentHandler(floy.sealer).handle(tx, { deployment_id }),
    );
  const dead = (deployment_id: string) =>
    floy.database.transaction((tx) =>
      startDeploymentHandler(floy.sealer).dead(tx, { deployment_id }, 'a test said so'),
    );
  const startsOf = (id: string) =>
    floy.own.query(
      "SELECT 1 FROM messages WHERE kind = 'start-workflow' AND subject = $1 AND done_at IS NULL",
      [id],
    );

  it('begins one whose turn has come, and has it planned; once', async () => {
    const id = await floy.ask([await floy.applicationId('api')]);
    expect(await handle(id)).toEqual({ done: true });
    expect(await floy.statusOf(id)).toBe('running');
    expect(await startsOf(id)).toHaveLength(1);
    const begun = await floy.recordOf(id);
    expect(await handle(id)).toEqual({ done: true });
    expect(await floy.recordOf(id)).toEqual(begun);
  });

  it('comes back later for one that waits, and of two that look again one stays', async () => {
    const application = await floy.applicationId('waited-for');
    const before = await floy.ask([application]);
    await handle(before);
    const id = await floy.ask([application]);
    const asked = Date.now();
    const answer = await handle(id);
    if (!('later' in answer)) throw new Error('it did not wait');
    const seconds = (answer.later.getTime() - asked) / 1000;
    expect(seconds).toBeGreaterThan(25);
    expect(seconds).toBeLessThan(35);
    expect(await floy.statusOf(id)).toBe('pending');
    await floy.database.transaction(async (tx) =>
      tx.send('start-deployment', { deployment_id: id }),
    );
    expect(await handle(id)).toEqual({ done: true });
    expect(await startsOf(id)).toEqual([]);
  });

  it('has nothing to do for one that has ended meanwhile, or that is not there', async () => {
    const id = await floy.ask([await floy.applicationId('cancelled')]);
    await floy.deployments.cancelDeployment(floy.actor, id);
    const ended = await floy.recordOf(id);
    expect(await handle(id)).toEqual({ done: true });
    expect(await floy.recordOf(id)).toEqual(ended);
    expect(await handle('dep_none')).toEqual({ done: true });
  });

  it('given up, ends one that is pending, saying why', async () => {
    const id = await floy.ask([await floy.applicationId('given-up')]);
    await dead(id);
    expect(await floy.statusOf(id)).toBe('failed');
    expect(await floy.recordOf(id)).toMatchObject({
      deployments: [
        {
          error_message: 'The deployment could not be started: a test said so',
          settled_at: expect.any(Date),
        },
      ],
    });
    const ended = await floy.recordOf(id);
    await dead(id);
    expect(await floy.recordOf(id)).toEqual(ended);
  });

  it('given up, changes nothing of one that runs, or that is not there', async () => {
    const id = await floy.ask([await floy.applicationId('runs')]);
    await handle(id);
    const begun = await floy.recordOf(id);
    await dead(id);
    expect(await floy.recordOf(id)).toEqual(begun);
    await dead('dep_none');
  });
});
