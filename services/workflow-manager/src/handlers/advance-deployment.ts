import { advanceDeployment } from '@floy/database/transitions/advance';
import type { ShortHandler } from '@floy/messaging/handlers';

/** A timer of the deployment is due (bake, deadline). One that came too early changes nothing. */
export function advanceDeploymentHandler(): ShortHandler<'advance-deployment'> {
  return {
    async handle(tx, { deployment_id }) {
      await advanceDeployment(tx, deployment_id);
      return { done: true };
    },
    // A deployment that cannot be folded has a defect; its other timers and parts try again.
    dead: async () => undefined,
  };
}
