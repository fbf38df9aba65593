import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestInstallation, type TestInstallation } from './installation.fixture.js';

const describeHere = await needsPostgres();

describeHere('the DeploymentManager', () => {
  let floy: TestInstallation;
  beforeAll(async () => {
    floy = await startTestInstallation();
  });
  afterAll(() => floy.stop());

  const ask = (...applications: string[]) => floy.ask(applications);
  const errorOf = async (id: string): Promise<string | undefined> => {
    const sql = 'SELECT error_message FROM deployments WHERE id = $1';
    return (await floy.own.query<{ error_message: string }>(sql, [id]))[0]?.error_message;
  };

  it('starts a deployment whose turn has come, once, and lets the next one wait', async () => {
    const api = await floy.applicationId('api');
    const first = await ask(api);
    const second = await ask(api);
    expect(await floy.deployments.startDeployment(second)).toBe('waits');
    expect(await floy.deployments.startDeployment(first)).toBe('admitted');
    expect(await floy.deployments.startDeployment(first)).toBe('gone');
    expect(await floy.statusOf(first)).toBe('running');
    const started = "SELECT 1 FROM messages WHERE kind = 'start-workflow' AND subject = $1";
    expect(await floy.own.query(started, [first])).toHaveLength(1);

    await floy.deployments.cancelDeployment(floy.actor, first);
    expect(await floy.deployments.startDeployment(second)).toBe('admitted');
    await floy.deployments.cancelDeployment(floy.actor, second);
  });

  it('ends one at once that can never be carried out, naming the key', async () => {
    const broken = await floy.applicationId('broken');
    await floy.own.query(`UPDATE applications SET config = '{"timeout": "soon"}' WHERE id = $1`, [
      broken,
    ]);
    const id = await ask(broken);
    expect(await floy.deployments.startDeployment(id)).toBe('admitted');
    expect(await floy.statusOf(id)).toBe('failed');
    expect(await errorOf(id)).toContain('config.timeout');
    expect(await floy.own.query('SELECT * FROM slots')).toEqual([]);
  });

  it('cancels, by whom it says, and not twice', async () => {
    const id = await ask(await floy.applicationId('cancelled'));
    await floy.deployments.cancelDeployment(floy.actor, id, { rollback: false });
    const events = await floy.own.query<{ actor: string }>(
      "SELECT actor FROM events WHERE stream = $1 AND type = 'deployment.cancelled'",
      [id],
    );
    expect(events).toEqual([{ actor: 'ann' }]);
    await expect(floy.deployments.cancelDeployment(floy.actor, id)).rejects.toThrow('has ended');
  });

  it('fails a deployment with a reason; every other status only work can reach', async () => {
    const id = await ask(await floy.applicationId('failed'));
    await expect(floy.deployments.updateDeploymentStatus(id, 'success', '')).rejects.toThrow(
      'cannot be made success',
    );
    await floy.deployments.updateDeploymentStatus(id, 'failed', 'A test said so');
    expect([await floy.statusOf(id), await errorOf(id)]).toEqual(['failed', 'A test said so']);
    await floy.deployments.updateDeploymentStatus(id, 'failed', 'again');
    expect(await errorOf(id)).toBe('A test said so');
  });

  it('ends what a planned deployment has in work when it is failed', async () => {
    const id = await ask(await floy.applicationId('planned'));
    const workflowId = await floy.begin(id);
    await floy.deployments.updateDeploymentStatus(id, 'failed', 'A test said so');
    expect(await floy.workflows.getWorkflowStatus(workflowId)).toBe('failed');
    const open =
      "SELECT 1 FROM tasks WHERE deployment_id = $1 AND status IN ('pending', 'running')";
    expect(await floy.own.query(open, [id])).toEqual([]);
  });

  it('says how far a deployment is', async () => {
    const id = await ask(await floy.applicationId('progress'));
    await floy.begin(id);
    expect(await floy.deployments.getDeploymentProgress(id)).toMatchObject({
      deployment_id: id,
      status: 'running',
      total_tasks: 2,
      completed_tasks: 0,
      failed_tasks: 0,
    });
    await expect(floy.deployments.getDeploymentProgress('dep_none')).rejects.toThrow('There is no');
  });
});
