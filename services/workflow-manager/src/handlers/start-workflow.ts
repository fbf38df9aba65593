import { accessWithin } from '@floy/database/access';
import { lockDeployment } from '@floy/database/transitions/load-tree';
import { createDeploymentManager } from '@floy/managers/deployment-manager';
import { createWorkflowManager } from '@floy/managers/workflow-manager';
import type { ShortHandler } from '@floy/messaging/handlers';
import type { Sealer } from '@floy/secrets/sealing';

/** Plans a deployment whose turn has come. */
export function startWorkflowHandler(sealer: Sealer): ShortHandler<'start-workflow'> {
  return {
    async handle(tx, { deployment_id }) {
      const manager = createWorkflowManager(accessWithin(tx), sealer);
      const { id } = await manager.createWorkflow({ id: deployment_id });
      await manager.executeWorkflow(id);
      return { done: true };
    },
    async dead(tx, { deployment_id }, reason) {
      const deployment = await lockDeployment(tx, deployment_id);
      if (deployment?.status !== 'running') return;
      const access = accessWithin(tx);
      const workflows = createWorkflowManager(access, sealer);
      const { id } = await workflows.createWorkflow({ id: deployment_id });
      if ((await workflows.getWorkflowStatus(id)) !== 'pending') return;
      const message = `The workflow could not be planned: ${reason}`;
      const deployments = createDeploymentManager(access, sealer);
      await deployments.updateDeploymentStatus(deployment_id, 'failed', message);
    },
  };
}
