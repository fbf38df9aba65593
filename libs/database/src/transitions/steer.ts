import type { EventType } from '@floy/contracts';
import { ConflictError, NotFoundError } from '@floy/domain';
import type { DeploymentRow } from '../rows.js';
import { changesOf } from '../statement.js';
import type { Transaction } from '../transaction.js';
import { advanceDeployment } from './advance.js';
import { refuseUnapproved } from './awaited-approval.js';
import { lockDeployment } from './load-tree.js';
import { refuseOwnApproval } from './second-person.js';

export type Steering = 'promote' | 'pause' | 'resume' | 'abort' | 'approve';

/** What each does, and the column that says who did it. */
const steerings = {
  /** Ends bakes and batches: what is left is switched now. It approves nothing and ends no pause. */
  promote: { event: 'deployment.promoted', columns: 'promoted = true', by: 'promoted_by' },
  /** Nothing new begins; what is in work ends its step. */
  pause: {
    event: 'deployment.paused',
    columns: 'paused_at = coalesce(paused_at, now())',
    by: 'paused_by',
  },
  resume: { event: 'deployment.resumed', columns: 'paused_at = NULL', by: 'paused_by' },
  /** Ends the rollout as failed: what was switched is undone, if the environment rolls back. */
  abort: {
    event: 'deployment.aborted',
    columns: 'aborted = true, paused_at = NULL',
    by: 'aborted_by',
  },
  approve: { event: 'deployment.approved', columns: 'approved = true', by: 'approved_by' },
} as const satisfies Record<Steering, { event: EventType; columns: string; by: string }>;

/**
 * Steers the rollout of a running deployment. Throws ConflictError where it is not on its way, and
 * for a promotion while an approval is awaited; ForbiddenError where an approval needs another person.
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
  if (steering === 'promote') await refuseUnapproved(tx, deployment);
  const { event, columns, by } = steerings[steering];
  tx.event({ stream: id, type: event, subject: id, actor });
  await advanceDeployment(tx, id, [
    changesOf(`UPDATE deployments SET ${columns}, ${by} = ?, updated_at = now() WHERE id = ?`, [
      steering === 'resume' ? '' : actor,
      id,
    ]),
    // What was seen before a pause tells nothing of what is so after it.
    changesOf(
      `UPDATE releases SET looked = false FROM deployments d
       WHERE d.id = ? AND deployment_id = d.id AND d.paused_at IS NOT NULL`,
      [id],
    ),
  ]);
  return (await lockDeployment(tx, id)) ?? deployment;
}
