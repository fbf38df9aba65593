import type { Actor, WorkflowManager } from '@floy/contracts';
import { readPlannedWorkflow, readWorkflow } from '@floy/database/read-models/workflows';
import type { DeploymentRow } from '@floy/database/rows';
import { openSnapshot } from '@floy/database/snapshot';
import type { Transaction } from '@floy/database/transaction';
import { cancelDeployment } from '@floy/database/transitions/cancel-deployment';
import { makeWorkflow, planWorkflow } from '@floy/database/transitions/plan-workflow';
import { retryWorkflow } from '@floy/database/transitions/retry';
import { NotFoundError } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';
import { planDeployment } from './plan/plan-deployment.js';

/** The seeds' WorkflowManager, in one transaction. */
export function createWorkflowManager(tx: Transaction, sealer: Sealer): WorkflowManager {
  const deploymentOf = async (workflowId: string): Promise<string> => {
    const row = await tx.row<{ deployment_id: string }>(
      'SELECT deployment_id FROM workflows WHERE id = ?',
      [workflowId],
    );
    if (!row) throw new NotFoundError(`There is no workflow ${workflowId}`);
    return row.deployment_id;
  };
  return {
    /** The workflow of a deployment, made where it has none yet. */
    async createWorkflow(deployment) {
      const [, workflow] = await Promise.all([
        makeWorkflow(tx, deployment.id),
        readPlannedWorkflow(tx.knex, deployment.id),
      ]);
      return workflow;
    },

    /** Plans every task of the workflow and hands out what is ready. */
    async executeWorkflow(workflowId) {
      const deployment = await tx.row<DeploymentRow>(
        `SELECT d.* FROM deployments d JOIN workflows w ON w.deployment_id = d.id
         WHERE w.id = ? FOR NO KEY UPDATE OF d`,
        [workflowId],
      );
      if (!deployment) throw new NotFoundError(`There is no workflow ${workflowId}`);
      const snapshot = openSnapshot(sealer, deployment.id, deployment.snapshot);
      await planWorkflow(tx, deployment, await planDeployment(tx, sealer, deployment, snapshot));
    },

    getWorkflowStatus: async (workflowId) => (await readWorkflow(tx.knex, workflowId)).status,

    async cancelWorkflow(actor: Actor, workflowId) {
      await cancelDeployment(tx, await deploymentOf(workflowId), {
        rollback: true,
        actor: actor.name,
      });
    },

    async retryFailedTasks(actor: Actor, workflowId) {
      await retryWorkflow(tx, workflowId, actor.name);
    },
  };
}
