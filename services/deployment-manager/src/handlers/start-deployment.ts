import { accessWithin } from '@floy/database/access';
import { isWokenTwice } from '@floy/database/transitions/admit';
import { lockDeployment } from '@floy/database/transitions/load-tree';
import { createDeploymentManager } from '@floy/managers/deployment-manager';
import type { ShortHandler } from '@floy/messaging/handlers';
import type { Sealer } from '@floy/secrets/sealing';

/** A waiting deployment is woken by the one that settles before it; this is the backstop. Seconds. */
const waitSeconds = 30;

/** Begins a deployment if its turn has come. */
export function startDeploymentHandler(sealer: Sealer): ShortHandler<'start-deployment'> {
  return {
    async handle(tx, { deployment_id }) {
      const manager = createDeploymentManager(accessWithin(tx), sealer);
      if ((await manager.startDeployment(deployment_id)) !== 'waits') return { done: true };
      // Of those that woke it in vain one stays, to look again.
      if (await isWokenTwice(tx, deployment_id)) return { done: true };
      return { later: new Date((await tx.now()).getTime() + waitSeconds * 1000) };
    },
    async dead(tx, { deployment_id }, reason) {
      const deployment = await lockDeployment(tx, deployment_id);
      if (deployment?.status !== 'pending') return;
      const manager = createDeploymentManager(accessWithin(tx), sealer);
      const message = `The deployment could not be started: ${reason}`;
      await manager.updateDeploymentStatus(deployment_id, 'failed', message);
    },
  };
}
