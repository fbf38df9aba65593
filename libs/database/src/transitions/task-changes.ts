import type { Change } from '@floy/domain';
import type { DeploymentRow, TaskRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { createRelease } from './release-changes.js';
import { setStatus } from './set-status.js';

/** How long a build or test task may wait for a runner. Seconds. */
const waitForRunnerSeconds = 3600;

type ChangeOf<D extends Change['do']> = Extract<Change, { do: D }>;

/** Hands a build or test task to the runners, or makes the release of a deploy task. */
export async function scheduleTask(
  tx: Transaction,
  deployment: DeploymentRow,
  taskId: string,
): Promise<void> {
  const now = await tx.now();
  const deadline = new Date(now.getTime() + waitForRunnerSeconds * 1000);
  const [task, artifact] = await Promise.all([
    tx.row<TaskRow>(
      `UPDATE tasks SET scheduled_at = now(), updated_at = now(), deadline_at = CASE WHEN type = 'deploy' THEN NULL ELSE ?::timestamptz END
       WHERE id = ? AND scheduled_at IS NULL AND status = 'pending' RETURNING *`,
      [deadline, taskId],
    ),
    builtArtifact(tx, taskId),
  ]);
  if (!task) return;
  tx.event({
    stream: deployment.id,
    type: 'task.scheduled',
    subject: taskId,
    data: { type: task.type },
  });
  if (task.type === 'deploy') {
    tx.event({
      stream: deployment.id,
      type: 'task.running',
      subject: taskId,
      data: { type: task.type },
    });
    await Promise.all([
      setStatus(tx, 'task', taskId, 'running', { started_at: now }),
      createRelease(tx, deployment, task, artifact),
    ]);
    return;
  }
  tx.send('run-task', { task_id: taskId, deployment_id: deployment.id });
  tx.send('advance-deployment', { deployment_id: deployment.id }, deadline);
}

/** The artifact that the build of the same application in the task's deployment made. */
async function builtArtifact(tx: Transaction, taskId: string): Promise<string | null> {
  const build = await tx.row<{ result: string }>(
    `SELECT b.result FROM tasks b
     JOIN tasks t ON t.deployment_id = b.deployment_id AND t.application_id = b.application_id
     WHERE t.id = ? AND b.type = 'build' AND b.status = 'success'`,
    [taskId],
  );
  if (!build) return null;
  const { sha256 } = JSON.parse(build.result) as { sha256?: string };
  return sha256 ?? null;
}

export async function endTask(
  tx: Transaction,
  deployment: DeploymentRow,
  { taskId, status, message, notRun }: ChangeOf<'end-task'>,
  columns: Record<string, unknown> = {},
): Promise<void> {
  const result =
    status === 'failed' ? failedResult(message, notRun) : JSON.stringify({ message: 'Deployed' });
  const changed = await setStatus(tx, 'task', taskId, status, {
    result,
    not_run: notRun,
    deadline_at: null,
    ...columns,
  });
  if (!changed) return;
  const data = status === 'failed' ? { code: 'TASK_FAILED', message, not_run: notRun } : {};
  tx.event({ stream: deployment.id, type: `task.${status}`, subject: taskId, data });
}

/** The `result` of a failed task: a string that holds JSON, like the seeds'. */
export function failedResult(message: string, notRun: boolean): string {
  return JSON.stringify({ code: 'TASK_FAILED', message, ...(notRun ? { not_run: true } : {}) });
}
