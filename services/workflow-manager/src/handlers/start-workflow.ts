import { failWorkflow } from '@floy/database/transitions/fail-workflow';
import { lockDeployment } from '@floy/database/transitions/load-tree';
import type { ShortHandler } from '@floy/messaging/handlers';
import type { Sealer } from '@floy/secrets/sealing';
import { FloyError } from '@floy/domain';
import { createWorkflowManager } from '../manager.js';

export function startWorkflowHandler(sealer: Sealer): ShortHandler<'start-workflow'> {
  return {
    async handle(tx, { deployment_id }) {
      const manager = createWorkflowManager(tx, sealer);
      const [deployment, workflow] = await Promise.all([
        lockDeployment(tx, deployment_id),
        manager.createWorkflow({ id: deployment_id }),
      ]);
      if (deployment?.status !== 'running' || workflow.status !== 'pending') return { done: true };
      try {
        await manager.executeWorkflow(workflow.id);
      } catch (error) {
        // What can never be planned ends at once, saying why.
        if (!(error instanceof FloyError)) throw error;
        await failWorkflow(tx, deployment, error.message);
      }
      return { done: true };
    },
    async dead(tx, { deployment_id }, reason) {
      const deployment = await lockDeployment(tx, deployment_id);
      if (deployment)
        await failWorkflow(tx, deployment, `The workflow could not be planned: ${reason}`);
    },
  };
}
