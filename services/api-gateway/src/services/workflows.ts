import type { Actor, Workflow, WorkflowManager } from '@floy/contracts';
import type { Database } from '@floy/database/database';
import { readWorkflow, readWorkflowOf } from '@floy/database/read-models/workflows';
import type { Transact } from '@floy/database/repositories/deployments';
import { cancelDeployment } from '@floy/database/transitions/cancel-deployment';
import { retryWorkflow } from '@floy/database/transitions/retry';

/** The part of WorkflowManager that users ask of; the other part runs in workflow-manager. */
export interface WorkflowService extends Pick<
  WorkflowManager,
  'getWorkflowStatus' | 'cancelWorkflow' | 'retryFailedTasks'
> {
  getWorkflow(id: string): Promise<Workflow>;
  getWorkflowOf(deploymentId: string): Promise<Workflow>;
}

/** Workflows as the API knows them. Cancelling one cancels its deployment. */
export function createWorkflowService(knex: Database['knex'], transact: Transact): WorkflowService {
  return {
    getWorkflow: (id) => readWorkflow(knex, id),
    getWorkflowOf: (deploymentId) => readWorkflowOf(knex, deploymentId),
    getWorkflowStatus: async (id) => (await readWorkflow(knex, id)).status,
    async cancelWorkflow(actor: Actor, id) {
      const { deployment_id } = await readWorkflow(knex, id);
      const options = { rollback: true, actor: actor.name };
      await transact((tx) => cancelDeployment(tx, deployment_id, options));
    },
    async retryFailedTasks(actor: Actor, id) {
      await readWorkflow(knex, id);
      await transact((tx) => retryWorkflow(tx, id, actor.name));
    },
  };
}
