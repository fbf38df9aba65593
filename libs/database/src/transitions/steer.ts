import type { EventType } from '@floy/contracts';
import { ConflictError, NotFoundError } from '@floy/domain';
import type { DeploymentRow } from '../rows.js';
import { changesOf } from '../statement.js';
import type { Transaction } from '../transaction.js';
import { advanceDeployment } from './advance.js';
import { lockDeployment } from './load-tree.js';
import { refuseOwnApproval } from './second-person.js';

export type Steering = 'promote' | 'pause' | 'resume' | 'abort' | 'approve';

const steerings = {
  /** Ends bakes and batches: what is left is switched now. It approves nothing and ends no pause. */
  promote: { event: 'deployment.promoted', columns: 'promoted = true' },
  /** Nothing new begins; what is in work ends its step. */
  pause: { event: 'deployment.paused', columns: 'paused_at = coalesce(paused_at, now())' },
  resume: { event: 'deployment.resumed', columns: 'paused_at = NULL' },
  /** Ends the rollout as failed: what was switched is undone, if the environment rolls back. */
  abort: { event: 'deployment.aborted', columns: 'aborted = true, paused_at = NULL' },
  approve: { event: 'deployment.approved', columns: 'approved = true' },
} as const satisfies Record<Steering, { event: EventType; columns: string }>;

/**
 * Steers the rollout of a running deployment. Throws ConflictError where it is not on its way,
 * ForbiddenError where an approval needs another person.
 */
export async function steerDeployment(
  tx: Transaction,
  id: string,
  steering: Steering,
  actor: string,
): Promise<DeploymentRow> {
  const deployment = await lockDeployment(tx, id);
  if (!deployment) throw new NotFoundError(`There is no deployment ${id}`);
  if (deployment.status !== 'running' || deployment.phase !== 'forward') {
    const now = deployment.status === 'running' ? 'being rolled back' : deployment.status;
    throw new ConflictError(`Deployment ${id} is ${now}: there is nothing to ${steering}`);
  }
  if (steering === 'approve') await refuseOwnApproval(tx, deployment, actor);
  const { event, columns } = steerings[steering];
  tx.event({ stream: id, type: event, subject: id, actor });
  await advanceDeployment(tx, id, [
    changesOf(`UPDATE deployments SET ${columns}, updated_at = now() WHERE id = ?`, [id]),
  ]);
  return (await lockDeployment(tx, id)) ?? deployment;
}
