import { accessWithin } from '@floy/database/access';
import { lockDeployment } from '@floy/database/transitions/load-tree';
import { createDeployer } from '@floy/managers/deployer';
import type { ShortHandler } from '@floy/messaging/handlers';

/** How long after a timer was given up the next one is due. Seconds. */
const againSeconds = 60;

/** A timer of the deployment is due (bake, deadline). One that came too early changes nothing. */
export function advanceDeploymentHandler(): ShortHandler<'advance-deployment'> {
  return {
    async handle(tx, { deployment_id: deploymentId }) {
      await createDeployer(accessWithin(tx)).deploy({ deploymentId });
      return { done: true };
    },
    // Nothing may get stuck for want of its timer: it comes again until it could be folded, or until
    // nothing is left to wait for.
    async dead(tx, { deployment_id }) {
      const deployment = await lockDeployment(tx, deployment_id);
      if (!deployment || deployment.settled_at) return;
      const again = new Date((await tx.now()).getTime() + againSeconds * 1000);
      tx.send('advance-deployment', { deployment_id }, again);
    },
  };
}
