import { startTestInstallation, type TestInstallation } from '@floy/managers/installation.fixture';
import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startWorkflowHandler } from './start-workflow.js';

const describeHere = await needsPostgres();

describeHere('start-workflow', () => {
  let floy: TestInstallation;
  beforeAll(async () => {
    floy = await startTestInstallation();
  });
  afterAll(() => floy.stop());

  const handle = (deployment_id: string) =>
    floy.database.transaction((tx) =>
      startWorkflowHandler(floy.sealer).handle(tx, { deployment_id }),
    );
  const dead = (deployment_id: string) =>
    floy.database.transaction((tx) =>
      startWorkflowHandler(floy.sealer).dead(tx, { deployment_id }, 'a test said so'),
    );
  /** A deployment whose turn has come. */
  async function admitted(name: string): Promise<string> {
    const id = await floy.ask([await floy.applicationId(name)]);
    await floy.deployments.startDeployment(id);
    return id;
  }

  it('plans a deployment and hands out what is ready; once', async () => {
    const id = await admitted('api');
    expect(await handle(id)).toEqual({ done: true });
    expect(await floy.recordOf(id)).toMatchObject({
      workflows: [{ status: 'running' }],
      tasks: expect.arrayContaining([
        expect.objectContaining({ type: 'build', scheduled_at: expect.any(Date) }),
        expect.objectContaining({ type: 'deploy', scheduled_at: null }),
      ]),
      messages: expect.arrayContaining([expect.objectContaining({ kind: 'run-task' })]),
    });
    const planned = await floy.recordOf(id);
    expect(await handle(id)).toEqual({ done: true });
    expect(await floy.recordOf(id)).toEqual(planned);
  });

  it('plans nothing of one that has ended meanwhile', async () => {
    const id = await admitted('cancelled');
    await floy.deployments.cancelDeployment(floy.actor, id);
    const ended = await floy.recordOf(id);
    expect(await handle(id)).toEqual({ done: true });
    expect(await floy.recordOf(id)).toEqual(ended);
    await expect(handle('dep_none')).rejects.toThrow('There is no deployment');
  });

  it('given up, ends one that has no plan, saying why', async () => {
    const id = await admitted('given-up');
    await dead(id);
    expect(await floy.recordOf(id)).toMatchObject({
      deployments: [
        {
          status: 'failed',
          error_message: 'The workflow could not be planned: a test said so',
          settled_at: expect.any(Date),
        },
      ],
      workflows: [{ status: 'failed' }],
      tasks: [],
    });
    const ended = await floy.recordOf(id);
    await dead(id);
    expect(await floy.recordOf(id)).toEqual(ended);
  });

  it('given up, changes nothing of one that is planned, that waits, or that is not there', async () => {
    const planned = await admitted('planned');
    await handle(planned);
    const waits = await floy.ask([await floy.applicationId('waits')]);
    for (const id of [planned, waits]) {
      const before = await floy.recordOf(id);
      await dead(id);
      expect(await floy.recordOf(id)).toEqual(before);
    }
    await dead('dep_none');
  });
});
