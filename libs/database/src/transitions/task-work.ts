import type { TaskRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { advanceDeployment } from './advance.js';
import { lockDeployment } from './load-tree.js';
import { setStatus } from './set-status.js';
import { failedResult } from './task-changes.js';

/** What a runner gives back: `result` is stored as a JSON string. */
export type TaskOutcome =
  { status: 'success'; result: Record<string, unknown> } | { status: 'failed'; message: string };

/** A runner begins a build or test task, or takes it over. False where there is nothing left to do. */
export async function beginTask(
  tx: Transaction,
  ids: { deploymentId: string; taskId: string },
): Promise<boolean> {
  const deployment = await lockDeployment(tx, ids.deploymentId);
  if (!deployment) return false;
  const task = await tx.row<TaskRow>('SELECT * FROM tasks WHERE id = ?', [ids.taskId]);
  if (!task || task.scheduled_at === null || task.completed_at !== null) return false;
  // The runner enforces the timeout itself; this is the backstop for one that is gone.
  const deadline = new Date((await tx.now()).getTime() + (task.timeout_seconds + 60) * 1000);
  if (task.status === 'running') return true;
  await setStatus(tx, 'task', task.id, 'running', {
    started_at: await tx.now(),
    deadline_at: deadline,
  });
  tx.event({
    stream: deployment.id,
    type: 'task.running',
    subject: task.id,
    data: { type: task.type },
  });
  tx.send('advance-deployment', { deployment_id: deployment.id }, deadline);
  return true;
}

/** A build or test task has ended; the fold decides what follows. */
export async function finishTask(
  tx: Transaction,
  ids: { deploymentId: string; taskId: string },
  outcome: TaskOutcome,
): Promise<void> {
  const deployment = await lockDeployment(tx, ids.deploymentId);
  if (!deployment) return;
  const result =
    outcome.status === 'success'
      ? JSON.stringify(outcome.result)
      : failedResult(outcome.message, false);
  const changed = await setStatus(tx, 'task', ids.taskId, outcome.status, {
    result,
    deadline_at: null,
  });
  if (!changed) return;
  const data =
    outcome.status === 'failed'
      ? { code: 'TASK_FAILED', message: outcome.message }
      : outcome.result;
  tx.event({ stream: deployment.id, type: `task.${outcome.status}`, subject: ids.taskId, data });
  await advanceDeployment(tx, deployment.id);
}
