import { taskScheduler } from '@floy/database/transitions/advance';
import { needsPostgres } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestInstallation, type TestInstallation } from './installation.fixture.js';

const describeHere = await needsPostgres();

describeHere('the WorkflowManager', () => {
  let floy: TestInstallation;
  beforeAll(async () => {
    floy = await startTestInstallation();
  });
  afterAll(() => floy.stop());

  /** A deployment of a new application whose turn has come. */
  async function started(name: string): Promise<string> {
    const id = await floy.ask([await floy.applicationId(name)]);
    await floy.deployments.startDeployment(id);
    return id;
  }
  const tasksOf = (id: string) =>
    floy.database.transaction((tx) => taskScheduler(tx).getTasksByDeployment(id));

  it('makes one workflow for a deployment, however often it is asked', async () => {
    const id = await started('once');
    const first = await floy.workflows.createWorkflow({ id });
    const second = await floy.workflows.createWorkflow({ id });
    expect(second.id).toBe(first.id);
    expect(first).toMatchObject({ deployment_id: id, status: 'pending', tasks: [] });
    await expect(floy.workflows.createWorkflow({ id: 'dep_none' })).rejects.toThrow('There is no');
  });

  it('plans a workflow once and hands out what is ready', async () => {
    const id = await started('api');
    const { id: workflowId } = await floy.workflows.createWorkflow({ id });
    await floy.workflows.executeWorkflow(workflowId);
    await floy.workflows.executeWorkflow(workflowId);
    expect(await floy.workflows.getWorkflowStatus(workflowId)).toBe('running');
    const tasks = await tasksOf(id);
    expect(tasks.map(({ type }) => type)).toEqual(['build', 'deploy']);
    expect(tasks[1]?.depends_on).toEqual([tasks[0]?.id]);
    const handed =
      "SELECT subject FROM messages WHERE kind = 'run-task' AND payload->>'deployment_id' = $1";
    expect(await floy.own.query(handed, [id])).toEqual([{ subject: tasks[0]?.id }]);
    await expect(floy.workflows.executeWorkflow('wf_none')).rejects.toThrow('There is no workflow');
  });

  it('ends a deployment whose applications require each other in a circle', async () => {
    const a = await floy.applicationId('a', { requires: ['b'] });
    const b = await floy.applicationId('b', { requires: ['a'] });
    const id = await floy.ask([a, b]);
    await floy.begin(id);
    expect(await floy.statusOf(id)).toBe('failed');
    expect(
      await floy.own.query('SELECT error_message FROM deployments WHERE id = $1', [id]),
    ).toEqual([{ error_message: expect.stringContaining('in a circle') }]);
  });

  it('cancels by cancelling its deployment', async () => {
    const id = await started('cancelled');
    const { id: workflowId } = await floy.workflows.createWorkflow({ id });
    await floy.workflows.executeWorkflow(workflowId);
    await floy.workflows.cancelWorkflow(floy.actor, workflowId);
    expect(await floy.workflows.getWorkflowStatus(workflowId)).toBe('cancelled');
    expect(await floy.statusOf(id)).toBe('failed');
    await expect(floy.workflows.cancelWorkflow(floy.actor, 'wf_none')).rejects.toThrow(
      'There is no',
    );
  });

  it('retries what failed, in the queue of the environment', async () => {
    const id = await started('retried');
    const { id: workflowId } = await floy.workflows.createWorkflow({ id });
    await floy.workflows.executeWorkflow(workflowId);
    await expect(floy.workflows.retryFailedTasks(floy.actor, workflowId)).rejects.toThrow(
      'no failed task',
    );
    const [build] = await tasksOf(id);
    await floy.database.transaction((tx) =>
      taskScheduler(tx).updateTaskStatus(build?.id ?? '', 'failed', '{}', { error_message: 'no' }),
    );
    expect(await floy.statusOf(id)).toBe('failed');
    await floy.workflows.retryFailedTasks(floy.actor, workflowId);
    expect(await floy.statusOf(id)).toBe('pending');
    expect((await tasksOf(id)).map(({ status }) => status)).toEqual(['pending', 'pending']);
  });
});
