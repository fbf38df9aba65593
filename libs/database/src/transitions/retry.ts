import { ConflictError, NotFoundError } from '@floy/domain';
import { revokeLeases } from '../leases.js';
import type { DeploymentRow, TaskRow } from '../rows.js';
import type { Statement } from '../statement.js';
import type { Transaction } from '../transaction.js';
import { pendingDeadline } from './create-deployment.js';
import { lockDeployment } from './load-tree.js';
import { refuseOvertaken } from './overtaken.js';
import { setStatus, settingStatus } from './set-status.js';

/** Retries one failed task, and with it whatever else failed, was not run or was undone. */
export async function retryTask(tx: Transaction, taskId: string, actor: string): Promise<TaskRow> {
  const found = await tx.row<TaskRow>('SELECT * FROM tasks WHERE id = ?', [taskId]);
  if (!found) throw new NotFoundError(`There is no task ${taskId}`);
  const deployment = await lockDeployment(tx, found.deployment_id);
  const task = await tx.row<TaskRow>('SELECT * FROM tasks WHERE id = ?', [taskId]);
  if (!deployment || !task) throw new NotFoundError(`There is no task ${taskId}`);
  if (task.undo_of !== null)
    throw new ConflictError(
      `Task ${taskId} is part of a rollback: there is no retry of it, deploy what shall run there`,
    );
  if (task.status !== 'failed')
    throw new ConflictError(`Task ${taskId} has not failed: it is ${task.status}`);
  if (task.not_run) {
    const failed = await tx.row<{ id: string }>(
      "SELECT id FROM tasks WHERE deployment_id = ? AND status = 'failed' AND NOT not_run AND undo_of IS NULL ORDER BY position LIMIT 1",
      [deployment.id],
    );
    if (failed)
      throw new ConflictError(
        `Task ${taskId} was never reached: retry ${failed.id}, which failed`,
        {
          retry: failed.id,
        },
      );
  }
  await reopen(tx, deployment, actor);
  return (await tx.row<TaskRow>('SELECT * FROM tasks WHERE id = ?', [taskId])) ?? task;
}

/** Retries every failed task of a workflow; answers its deployment. */
export async function retryWorkflow(
  tx: Transaction,
  workflowId: string,
  actor: string,
): Promise<DeploymentRow> {
  const workflow = await tx.row<{ deployment_id: string }>(
    'SELECT deployment_id FROM workflows WHERE id = ?',
    [workflowId],
  );
  const deployment = workflow && (await lockDeployment(tx, workflow.deployment_id));
  if (!deployment) throw new NotFoundError(`There is no workflow ${workflowId}`);
  const failed = await tx.row(
    "SELECT 1 FROM tasks WHERE deployment_id = ? AND status = 'failed' AND undo_of IS NULL LIMIT 1",
    [deployment.id],
  );
  if (!failed) throw new ConflictError(`Workflow ${workflowId} has no failed task`);
  await reopen(tx, deployment, actor);
  return (await lockDeployment(tx, deployment.id)) ?? deployment;
}

/**
 * Puts a settled deployment back into its environment's queue. A new round begins: releases and
 * undo tasks of earlier ones are history, and new epochs keep their late workers out.
 */
async function reopen(tx: Transaction, deployment: DeploymentRow, actor: string): Promise<void> {
  if (deployment.settled_at === null) {
    throw new ConflictError(
      `Deployment ${deployment.id} is not settled yet: wait until every target has its verdict`,
    );
  }
  await refuseInactive(tx, deployment);
  await refuseOvertaken(tx, deployment);
  const round = deployment.round + 1;
  const deadline = pendingDeadline(await tx.now());
  // All that failed goes along: with any of it left out the deployment could not succeed.
  const again = await tx.rows<TaskRow>(
    `SELECT t.* FROM tasks t WHERE t.deployment_id = ? AND t.undo_of IS NULL
       AND (t.status = 'failed'
            OR EXISTS (SELECT 1 FROM tasks u WHERE u.undo_of = t.id AND u.round = ?))
     ORDER BY t.position`,
    [deployment.id, deployment.round],
  );
  await tx.together(...again.map(({ id }) => reopeningTask(tx, id)));
  for (const task of again) {
    tx.event({
      stream: deployment.id,
      type: 'task.pending',
      subject: task.id,
      actor,
      data: { retry: true },
    });
  }
  await revokeLeases(
    tx,
    again.map(({ id }) => id),
  );
  const workflow = await tx.row<{ id: string }>(
    'SELECT id FROM workflows WHERE deployment_id = ?',
    [deployment.id],
  );
  if (workflow) await setStatus(tx, 'workflow', workflow.id, 'pending');
  await setStatus(tx, 'deployment', deployment.id, 'pending', {
    phase: 'queued',
    round,
    cancelled: false,
    rollback_on_cancel: true,
    aborted: false,
    approved: false,
    promoted: false,
    paused_at: null,
    cancelled_by: '',
    paused_by: '',
    approved_by: '',
    promoted_by: '',
    aborted_by: '',
    snapshot: null,
    error_message: '',
    waiting_for: '',
    queued_at: tx.build.fn.now(),
    started_at: null,
    completed_at: null,
    settled_at: null,
    deadline_at: deadline,
  });
  tx.event({
    stream: deployment.id,
    type: 'deployment.retried',
    subject: deployment.id,
    actor,
    data: { round },
  });
  tx.send('start-deployment', { deployment_id: deployment.id });
  tx.send('advance-deployment', { deployment_id: deployment.id }, deadline);
}

/** A task as it was before it was first scheduled. */
export function reopeningTask(tx: Transaction, id: string): Statement<boolean> {
  return settingStatus(tx, 'task', id, 'pending', {
    result: '',
    error_message: '',
    artifact_sha256: null,
    image: null,
    commit: null,
    not_run: false,
    scheduled_at: null,
    started_at: null,
    completed_at: null,
    deadline_at: null,
  });
}

async function refuseInactive(tx: Transaction, { environment_id }: DeploymentRow): Promise<void> {
  const inactive = await tx.row<{ name: string }>(
    'SELECT name FROM environments WHERE id = ? AND NOT is_active',
    [environment_id],
  );
  if (inactive) throw new ConflictError(`Environment ${inactive.name} is not active`);
}
