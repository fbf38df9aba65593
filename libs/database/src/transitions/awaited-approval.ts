import { ConflictError } from '@floy/domain';
import type { DeploymentRow } from '../rows.js';
import { rowOf } from '../statement.js';
import type { Transaction } from '../transaction.js';

/**
 * Throws ConflictError where a deployment cannot be promoted yet, since an approval is awaited: the
 * promotion would lie in wait for it, and then switch everything at once. Before its plan nobody
 * knows whether it needs one. The deployment's row has to be locked by the caller.
 */
export async function refuseUnapproved(tx: Transaction, deployment: DeploymentRow): Promise<void> {
  const [unplanned, needed] = await tx.together(
    rowOf("SELECT 1 FROM workflows WHERE deployment_id = ? AND status = 'pending'", [
      deployment.id,
    ]),
    rowOf(`SELECT 1 FROM tasks WHERE deployment_id = ? AND (plan->>'approval')::boolean LIMIT 1`, [
      deployment.id,
    ]),
  );
  if (unplanned) {
    throw new ConflictError(
      `Deployment ${deployment.id} is not planned yet: there is nothing to promote`,
    );
  }
  if (!needed || deployment.approved) return;
  throw new ConflictError(
    `Deployment ${deployment.id} awaits approval: it can be promoted when somebody has approved it`,
    { waiting_for: 'Approval' },
  );
}
