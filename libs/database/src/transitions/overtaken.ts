import { ConflictError } from '@floy/domain';
import type { DeploymentRow } from '../rows.js';
import type { Transaction } from '../transaction.js';

/**
 * Throws ConflictError where a deployment has reached targets of the same applications since this
 * one began: a retry would put the older version over the newer one. Asked at the retry and again
 * at its admission, since another may be on its way in between.
 */
export async function refuseOvertaken(tx: Transaction, deployment: DeploymentRow): Promise<void> {
  // The workflow is made when a deployment first begins, and kept by its retries.
  const newer = await tx.row<{ id: string }>(
    `SELECT r.deployment_id AS id
     FROM workflows w
     JOIN deployment_applications a ON a.deployment_id = w.deployment_id
     JOIN releases r ON r.application_id = a.application_id AND r.environment_id = ?
       AND r.deployment_id <> w.deployment_id AND r.created_at > w.created_at
     WHERE w.deployment_id = ?
       AND EXISTS (SELECT 1 FROM release_instances i WHERE i.release_id = r.id AND i.touched)
     ORDER BY r.created_at DESC LIMIT 1`,
    [deployment.environment_id, deployment.id],
  );
  if (!newer) return;
  throw new ConflictError(
    `The newer deployment ${newer.id} has reached targets of ${deployment.id} since`,
    { newer: newer.id },
  );
}
