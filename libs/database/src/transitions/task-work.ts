import type { DeploymentRow, TaskRow } from '../rows.js';
import { rowOf } from '../statement.js';
import type { Transaction } from '../transaction.js';
import { lockingDeployment } from './load-tree.js';
import { setStatus } from './set-status.js';

/** What a runner allows itself beyond the task's time, before others give it up. Seconds. */
const graceSeconds = 60;

/** A runner begins a build or test task, or takes it over. False where there is nothing left to do. */
export async function beginTask(
  tx: Transaction,
  ids: { deploymentId: string; taskId: string },
): Promise<boolean> {
  const [deployment, task] = await tx.together(
    lockingDeployment(ids.deploymentId),
    rowOf<TaskRow & { now: Date }>('SELECT *, now() FROM tasks WHERE id = ?', [ids.taskId]),
  );
  if (!deployment || !task || task.scheduled_at === null || task.completed_at !== null)
    return false;
  if (task.status === 'running') return true;
  // The runner enforces the timeout itself; this is the backstop for one that is gone.
  const deadline = new Date(task.now.getTime() + (task.timeout_seconds + graceSeconds) * 1000);
  const times = { started_at: task.now, deadline_at: deadline };
  await setStatus(tx, 'task', task.id, 'running', times);
  const { type } = task;
  tx.event({ stream: deployment.id, type: 'task.running', subject: task.id, data: { type } });
  tx.send('advance-deployment', { deployment_id: deployment.id }, deadline);
  return true;
}

/** The rows that a runner works with. */
export interface TaskWork {
  readonly task: TaskRow;
  readonly deployment: DeploymentRow;
  /** Whether the commit of its version was compared with its tag, or there is nothing to compare. */
  readonly tagCompared: boolean;
}

/** Reads a task for its runner. */
export async function readTaskWork(tx: Transaction, taskId: string): Promise<TaskWork | undefined> {
  const [task, deployment, untold] = await tx.together(
    rowOf<TaskRow>('SELECT * FROM tasks WHERE id = ?', [taskId]),
    rowOf<DeploymentRow>(
      'SELECT d.* FROM deployments d JOIN tasks t ON t.deployment_id = d.id WHERE t.id = ?',
      [taskId],
    ),
    rowOf(
      `SELECT 1 FROM tasks t JOIN deployments d ON d.id = t.deployment_id
       JOIN versions v ON v.id = d.version_id WHERE t.id = ? AND v.tag_compared_at IS NULL`,
      [taskId],
    ),
  );
  return task && deployment ? { task, deployment, tagCompared: !untold } : undefined;
}

/** Remembers that a version's commit is the one that its tag was at, or that there was no tag. */
export function tagWasCompared(tx: Transaction, versionId: string | null): void {
  tx.atEnd(
    'UPDATE versions SET tag_compared_at = clock_timestamp() WHERE id = ? AND tag_compared_at IS NULL',
    [versionId],
  );
}

/** The artifact that the build of a task's application has made in its deployment, if any. */
export async function builtArtifactOf(tx: Transaction, task: TaskRow): Promise<string | null> {
  const build = await tx.row<Pick<TaskRow, 'artifact_sha256'>>(
    `SELECT artifact_sha256 FROM tasks
     WHERE deployment_id = ? AND application_id = ? AND type = 'build' AND status = 'success'`,
    [task.deployment_id, task.application_id],
  );
  return build?.artifact_sha256 ?? null;
}
