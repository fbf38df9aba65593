import { startTestInstallation, type TestInstallation } from '@floy/managers/installation.fixture';
import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { advanceDeploymentHandler } from './advance-deployment.js';

const describeHere = await needsPostgres();

describeHere('advance-deployment', () => {
  let floy: TestInstallation;
  beforeAll(async () => {
    floy = await startTestInstallation();
  });
  afterAll(() => floy.stop());

  const handler = advanceDeploymentHandler();
  const handle = (deployment_id: string) =>
    floy.database.transaction((tx) => handler.handle(tx, { deployment_id }));
  const dead = (deployment_id: string) =>
    floy.database.transaction((tx) => handler.dead(tx, { deployment_id }, 'a test said so'));
  /** A deployment whose build waits for a runner. */
  async function planned(name: string): Promise<string> {
    const id = await floy.ask([await floy.applicationId(name)]);
    await floy.begin(id);
    return id;
  }

  it('changes nothing before anything is due, and ends what is; once', async () => {
    const id = await planned('late');
    const early = await floy.recordOf(id);
    expect(await handle(id)).toEqual({ done: true });
    expect(await floy.recordOf(id)).toEqual(early);

    await floy.own.query(
      "UPDATE tasks SET deadline_at = now() - interval '1 s' WHERE deployment_id = $1",
      [id],
    );
    expect(await handle(id)).toEqual({ done: true });
    expect(await floy.statusOf(id)).toBe('failed');
    const ended = await floy.recordOf(id);
    expect(ended).toMatchObject({
      deployments: [{ settled_at: expect.any(Date) }],
      workflows: [{ status: 'failed' }],
      messages: expect.arrayContaining([expect.objectContaining({ kind: 'deployment-ended' })]),
    });
    expect(await handle(id)).toEqual({ done: true });
    expect(await floy.recordOf(id)).toEqual(ended);
  });

  it('ends one that has waited in the queue for too long', async () => {
    const application = await floy.applicationId('waits');
    await floy.begin(await floy.ask([application]));
    const id = await floy.ask([application]);
    await floy.own.query(
      "UPDATE deployments SET deadline_at = now() - interval '1 s' WHERE id = $1",
      [id],
    );
    await handle(id);
    expect(await floy.statusOf(id)).toBe('failed');
  });

  it('given up, comes again in a minute: nothing may get stuck for want of its timer', async () => {
    const id = await planned('given-up');
    const timers = () =>
      floy.own.query<{ seconds: number }>(
        `SELECT round(extract(epoch FROM due_at - created_at))::int AS seconds FROM messages
         WHERE kind = 'advance-deployment' AND subject = $1 ORDER BY created_at, id`,
        [id],
      );
    const before = await timers();
    await dead(id);
    expect(await timers()).toEqual([...before, { seconds: 60 }]);
  });

  it('given up, ends with a deployment that is settled, or that is not there', async () => {
    const id = await planned('cancelled');
    await floy.deployments.cancelDeployment(floy.actor, id);
    const ended = await floy.recordOf(id);
    expect(await handle(id)).toEqual({ done: true });
    await dead(id);
    expect(await floy.recordOf(id)).toEqual(ended);
    await expect(handle('dep_none')).rejects.toThrow('There is no');
    await dead('dep_none');
    expect(await floy.own.query("SELECT 1 FROM messages WHERE subject = 'dep_none'")).toEqual([]);
  });
});
