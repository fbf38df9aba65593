import { failWorkflow } from '@floy/database/transitions/fail-workflow';
import { lockDeployment } from '@floy/database/transitions/load-tree';
import type { ShortHandler } from '@floy/messaging/handlers';
import type { Sealer } from '@floy/secrets/sealing';
import { createWorkflowManager } from '../manager.js';

export function startWorkflowHandler(sealer: Sealer): ShortHandler<'start-workflow'> {
  return {
    async handle(tx, { deployment_id }) {
      const deployment = await lockDeployment(tx, deployment_id);
      if (deployment?.status !== 'running' || deployment.phase !== 'forward') return { done: true };
      const workflow = await createWorkflowManager(tx, sealer).createWorkflow(deployment);
      if (workflow.status !== 'pending') return { done: true };
      await createWorkflowManager(tx, sealer).executeWorkflow(workflow.id);
      return { done: true };
    },
    async dead(tx, { deployment_id }, reason) {
      const deployment = await lockDeployment(tx, deployment_id);
      if (deployment)
        await failWorkflow(tx, deployment, `The workflow could not be planned: ${reason}`);
    },
  };
}
