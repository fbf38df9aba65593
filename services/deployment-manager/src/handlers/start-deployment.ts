import { endUnplanned } from '@floy/database/transitions/end-unplanned';
import { lockDeployment } from '@floy/database/transitions/load-tree';
import type { ShortHandler } from '@floy/messaging/handlers';
import type { Sealer } from '@floy/secrets/sealing';
import { startPending } from '../manager.js';

/** A waiting deployment is woken by what settles before it; this is the backstop. Seconds. */
const waitSeconds = 30;

export function startDeploymentHandler(sealer: Sealer): ShortHandler<'start-deployment'> {
  return {
    async handle(tx, { deployment_id }) {
      if ((await startPending(tx, sealer, deployment_id)) !== 'waits') return { done: true };
      // Of those that woke it in vain one stays, to look again.
      const others = await tx.row(
        `SELECT 1 FROM messages WHERE kind = 'start-deployment' AND subject = ? AND done_at IS NULL
         OFFSET 1 LIMIT 1`,
        [deployment_id],
      );
      if (others) return { done: true };
      return { later: new Date((await tx.now()).getTime() + waitSeconds * 1000) };
    },
    async dead(tx, { deployment_id }, reason) {
      const deployment = await lockDeployment(tx, deployment_id);
      if (deployment?.status !== 'pending') return;
      await endUnplanned(tx, deployment, `The deployment could not be started: ${reason}`);
    },
  };
}
