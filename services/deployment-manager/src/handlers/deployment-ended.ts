import type { ShortHandler } from '@floy/messaging/handlers';

/** Wakes what waits in the same environment: each looks itself whether its turn has come. */
export function deploymentEndedHandler(): ShortHandler<'deployment-ended'> {
  return {
    async handle(tx, { deployment_id }) {
      const waiting = await tx.rows<{ id: string }>(
        `SELECT w.id FROM deployments d JOIN deployments w ON w.environment_id = d.environment_id
         WHERE d.id = ? AND w.status = 'pending' ORDER BY w.kind = 'rollback' DESC, w.queued_at`,
        [deployment_id],
      );
      for (const { id } of waiting) tx.send('start-deployment', { deployment_id: id });
      return { done: true };
    },
    // Nothing is lost: every waiting deployment looks again by itself.
    dead: async () => undefined,
  };
}
