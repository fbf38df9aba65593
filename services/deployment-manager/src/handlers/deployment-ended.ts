import type { ShortHandler } from '@floy/messaging/handlers';

/**
 * Wakes what waits behind a settled deployment: each looks itself whether its turn has come. The
 * lock of the environment comes first: whoever looked at the queue before this one settled has
 * written by then whom it waits for.
 */
export function deploymentEndedHandler(): ShortHandler<'deployment-ended'> {
  return {
    async handle(tx, { deployment_id }) {
      await tx.execute(
        `SELECT 1 FROM environments WHERE id = (SELECT environment_id FROM deployments WHERE id = ?)
         FOR NO KEY UPDATE`,
        [deployment_id],
      );
      const waiting = await tx.rows<{ id: string }>(
        "SELECT id FROM deployments WHERE waiting_for = ? AND status = 'pending' ORDER BY queued_at",
        [deployment_id],
      );
      for (const { id } of waiting) tx.send('start-deployment', { deployment_id: id });
      return { done: true };
    },
    // Nothing is lost: every waiting deployment looks again by itself.
    dead: async () => undefined,
  };
}
