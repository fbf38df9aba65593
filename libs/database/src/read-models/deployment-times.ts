import type { Transaction } from '../transaction.js';

/** When the present round of a deployment came to each of its phases; null where it did not. */
export interface DeploymentTimes {
  readonly cancelled: boolean;
  readonly queuedAt: Date;
  readonly startedAt: Date | null;
  readonly undoingAt: Date | null;
  readonly completedAt: Date | null;
  readonly settledAt: Date | null;
}

/** The times of a deployment, or undefined where there is none. */
export function readDeploymentTimes(
  tx: Pick<Transaction, 'row'>,
  id: string,
): Promise<DeploymentTimes | undefined> {
  return tx.row<DeploymentTimes>(
    `SELECT cancelled, queued_at AS "queuedAt", started_at AS "startedAt",
            completed_at AS "completedAt", settled_at AS "settledAt",
            (SELECT max(e.at) FROM events e WHERE e.stream = d.id
             AND e.type = 'deployment.undoing' AND e.at >= d.started_at) AS "undoingAt"
     FROM deployments d WHERE id = ?`,
    [id],
  );
}
