import { waitingBehind } from '@floy/database/transitions/admit';
import type { ShortHandler } from '@floy/messaging/handlers';

/** Wakes the deployments that wait behind a settled one: each looks itself whether its turn has come. */
export function deploymentEndedHandler(): ShortHandler<'deployment-ended'> {
  return {
    async handle(tx, { deployment_id: ended }) {
      for (const deployment_id of await waitingBehind(tx, ended))
        tx.send('start-deployment', { deployment_id });
      return { done: true };
    },
    // Nothing is lost: every waiting deployment looks again by itself.
    dead: async () => undefined,
  };
}
