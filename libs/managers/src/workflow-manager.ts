import type { WorkflowManager } from '@floy/contracts';
import type { Access } from '@floy/database/access';
import { deploymentOfWorkflow, readWorkflow } from '@floy/database/read-models/workflows';
import { openSnapshot } from '@floy/database/snapshot';
import type { Transaction } from '@floy/database/transaction';
import { cancelDeployment, failDeployment } from '@floy/database/transitions/cancel-deployment';
import {
  lockUnplanned,
  makeWorkflow,
  planWorkflow,
} from '@floy/database/transitions/plan-workflow';
import { retryWorkflow } from '@floy/database/transitions/retry';
import { isAnswer } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';
import { planDeployment } from './plan/plan-deployment.js';

/** The seeds' WorkflowManager. */
export function createWorkflowManager({ knex, transact }: Access, sealer: Sealer): WorkflowManager {
  return {
    /** The workflow of a deployment, made where it has none yet. */
    createWorkflow: (deployment) => transact((tx) => makeWorkflow(tx, deployment.id)),

    executeWorkflow: (workflowId) => transact((tx) => plan(tx, sealer, workflowId)),

    getWorkflowStatus: async (workflowId) => (await readWorkflow(knex, workflowId)).status,

    cancelWorkflow: (actor, workflowId) =>
      transact(async (tx) => {
        const deploymentId = await deploymentOfWorkflow(tx.knex, workflowId);
        await cancelDeployment(tx, deploymentId, { rollback: true, actor: actor.name });
      }),

    retryFailedTasks: (actor, workflowId) =>
      transact(async (tx) => void (await retryWorkflow(tx, workflowId, actor.name))),
  };
}

/**
 * Plans every task of a workflow, once, and hands out what is ready. One that can never be planned
 * ends at once, saying why.
 */
async function plan(tx: Transaction, sealer: Sealer, workflowId: string): Promise<void> {
  const deployment = await lockUnplanned(tx, workflowId);
  if (!deployment) return;
  try {
    const snapshot = openSnapshot(sealer, deployment.id, deployment.snapshot);
    const tasks = await planDeployment(tx, sealer, deployment, snapshot);
    await planWorkflow(tx, deployment, workflowId, tasks);
  } catch (error) {
    if (!isAnswer(error)) throw error;
    await failDeployment(tx, deployment.id, error.message);
  }
}
