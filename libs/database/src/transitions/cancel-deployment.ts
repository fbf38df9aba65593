import { ConflictError, NotFoundError, isFinal } from '@floy/domain';
import { revokeLeases } from '../leases.js';
import type { DeploymentRow, InstanceRow, ReleaseRow, TaskRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { advanceDeployment } from './advance.js';
import { endDeployment, setPhase } from './deployment-changes.js';
import { endInstance, stopInstance } from './instance-changes.js';
import { endRelease } from './release-changes.js';
import { endTask } from './task-changes.js';
import { lockDeployment } from './load-tree.js';
import { setStatus } from './set-status.js';

export const cancelledMessage = 'Deployment cancelled by user';

/**
 * Cancels a deployment: final at once, nothing that had not begun begins any more, what runs is
 * ended wherever it runs, and then touched targets return to their last good version unless
 * `rollback` is false.
 *
 * Throws ConflictError, with the report so far in its details, where it has ended already.
 */
export async function cancelDeployment(
  tx: Transaction,
  id: string,
  options: { rollback: boolean; actor: string },
): Promise<DeploymentRow> {
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
  await tx.execute('UPDATE deployments SET cancelled = true, rollback_on_cancel = ? WHERE id = ?', [
    options.rollback,
    id,
  ]);
  // An undo that is on its way is what a cancel would do: it goes on.
  const keepsUndo = deployment.phase === 'undoing' && options.rollback;
  if (deployment.phase !== 'queued' && !keepsUndo) await endWork(tx, deployment);
  await endDeployment(tx, deployment, {
    do: 'end-deployment',
    status: 'failed',
    message: cancelledMessage,
  });
  const workflow = await tx.row<{ id: string }>(
    'SELECT id FROM workflows WHERE deployment_id = ?',
    [id],
  );
  if (workflow) await setStatus(tx, 'workflow', workflow.id, 'cancelled');
  if (!keepsUndo) await setPhase(tx, deployment, 'stopping');
  await advanceDeployment(tx, id);
  const row = await tx.row<DeploymentRow>('SELECT * FROM deployments WHERE id = ?', [id]);
  return row ?? deployment;
}

/** Ends every open part; what is in work on a target or runner loses its lease and is stopped. */
async function endWork(tx: Transaction, deployment: DeploymentRow): Promise<void> {
  const instances = await tx.rows<InstanceRow>(
    'SELECT * FROM release_instances WHERE deployment_id = ? AND completed_at IS NULL ORDER BY target_id',
    [deployment.id],
  );
  for (const instance of instances) {
    const inWork = instance.status === 'staging' || instance.status === 'switching';
    const end = {
      do: 'end-instance',
      instanceId: instance.id,
      status: 'cancelled',
      message: cancelledMessage,
    } as const;
    await endInstance(tx, deployment, end);
    if (inWork) await stopInstance(tx, deployment, instance.id);
  }
  const releases = await tx.rows<ReleaseRow>(
    'SELECT * FROM releases WHERE deployment_id = ? AND completed_at IS NULL ORDER BY id',
    [deployment.id],
  );
  for (const { id } of releases) {
    await endRelease(tx, deployment, {
      do: 'end-release',
      releaseId: id,
      status: 'cancelled',
      message: cancelledMessage,
    });
  }
  const tasks = await tx.rows<TaskRow>(
    'SELECT * FROM tasks WHERE deployment_id = ? AND completed_at IS NULL ORDER BY position',
    [deployment.id],
  );
  for (const task of tasks) {
    const notRun = task.scheduled_at === null;
    await endTask(tx, deployment, {
      do: 'end-task',
      taskId: task.id,
      status: 'failed',
      message: cancelledMessage,
      notRun,
    });
  }
  await revokeLeases(
    tx,
    tasks.filter(({ status }) => status === 'running').map(({ id }) => id),
  );
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
