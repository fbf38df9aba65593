import { refuseDeployment } from '@floy/database/transitions/admit';
import { lockDeployment } from '@floy/database/transitions/load-tree';
import type { ShortHandler } from '@floy/messaging/handlers';
import type { Sealer } from '@floy/secrets/sealing';
import { startPending } from '../manager.js';

/** A waiting deployment is woken by what settles before it; this is the backstop. Seconds. */
const waitSeconds = 30;

export function startDeploymentHandler(sealer: Sealer): ShortHandler<'start-deployment'> {
  return {
    async handle(tx, { deployment_id }) {
      if (!(await startPending(tx, sealer, deployment_id))) return { done: true };
      return { later: new Date((await tx.now()).getTime() + waitSeconds * 1000) };
    },
    async dead(tx, { deployment_id }, reason) {
      const deployment = await lockDeployment(tx, deployment_id);
      if (deployment?.status !== 'pending') return;
      await refuseDeployment(tx, deployment, `The deployment could not be started: ${reason}`);
    },
  };
}
