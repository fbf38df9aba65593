import {
  ConflictError,
  NotFoundError,
  endOpenWork,
  isFinal,
  type DeploymentStatus,
  type DeploymentTree,
} from '@floy/domain';
import type { DeploymentRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { advanceDeployment, taskScheduler } from './advance.js';
import { applyChanges } from './apply.js';
import { endDeployment, setPhase } from './deployment-changes.js';
import { endUnplanned } from './end-unplanned.js';
import { lockDeployment, lockTree } from './load-tree.js';

/** What a deployment that somebody has cancelled says. */
export function cancelledMessage(actor: string): string {
  return `Deployment cancelled by user ${actor}`.trim();
}

/**
 * Cancels a deployment: final at once, nothing that had not begun begins any more, what runs is
 * ended wherever it runs, and then touched targets return to their last good version. With
 * `rollback` false only those do that were interrupted in a switch.
 *
 * Throws ConflictError, with the report so far in its details, where it has ended already.
 */
export async function cancelDeployment(
  tx: Transaction,
  id: string,
  options: { rollback: boolean; actor: string },
): Promise<void> {
  const deployment = await lockDeployment(tx, id);
  if (!deployment) throw new NotFoundError(`There is no deployment ${id}`);
  if (isFinal('deployment', deployment.status)) {
    const instances = await verdictReport(tx, id);
    throw new ConflictError(`Deployment ${id} has ended already`, {
      status: deployment.status,
      instances,
    });
  }
  tx.event({ stream: id, type: 'deployment.cancelled', subject: id, actor: options.actor });
  await tx.execute(
    `UPDATE deployments SET cancelled = true, cancelled_by = ?, rollback_on_cancel = ?
     WHERE id = ?`,
    [options.actor, options.rollback, id],
  );
  await endNow(tx, id, cancelledMessage(options.actor), 'cancelled');
}

/**
 * Ends a deployment as failed, for a reason of Floy's own. One that was planned is ended like a
 * cancelled one: what runs is stopped, and touched targets return. Does nothing to one that has
 * ended, nor, where `only` says a status, to one that has another.
 */
export async function failDeployment(
  tx: Transaction,
  id: string,
  message: string,
  only?: DeploymentStatus,
): Promise<void> {
  const deployment = await lockDeployment(tx, id);
  if (!deployment || isFinal('deployment', deployment.status)) return;
  if (only !== undefined && deployment.status !== only) return;
  await endNow(tx, id, message, 'failed');
}

async function endNow(
  tx: Transaction,
  id: string,
  message: string,
  workflowEnd: 'cancelled' | 'failed',
): Promise<void> {
  const locked = await lockTree(tx, id);
  if (!locked) return;
  const { deployment, tree } = locked;
  if (isPlanned(tree)) await endPlanned(tx, deployment, tree, message, workflowEnd);
  else await endUnplanned(tx, deployment, message, workflowEnd);
  await advanceDeployment(tx, id);
}

function isPlanned({ deployment, workflow }: DeploymentTree): boolean {
  return deployment.status === 'running' && workflow !== null && workflow.status !== 'pending';
}

async function endPlanned(
  tx: Transaction,
  deployment: DeploymentRow,
  tree: DeploymentTree,
  message: string,
  workflowEnd: 'cancelled' | 'failed',
): Promise<void> {
  // An undo that is on its way is what this would do: it goes on, or ends with what it has begun.
  const undoing = deployment.phase === 'undoing';
  if (!undoing || !deployment.rollback_on_cancel)
    await applyChanges(tx, deployment, tree, endOpenWork(tree, message), taskScheduler(tx));
  const end = { do: 'end-deployment', status: 'failed', message } as const;
  await endDeployment(tx, deployment, end, workflowEnd);
  if (!undoing) await setPhase(tx, deployment, 'stopping');
}

/** What became of each instance: untouched, reverted, on the new version, unknown, or not yet told. */
export async function verdictReport(
  tx: Transaction,
  deploymentId: string,
): Promise<Record<string, string | null>> {
  const rows = await tx.rows<{ instance_id: string; verdict: string | null }>(
    `SELECT i.instance_id, i.verdict FROM release_instances i JOIN releases r ON r.id = i.release_id
     WHERE i.deployment_id = ? AND NOT r.undo ORDER BY r.id, i.position`,
    [deploymentId],
  );
  return Object.fromEntries(rows.map(({ instance_id, verdict }) => [instance_id, verdict]));
}
