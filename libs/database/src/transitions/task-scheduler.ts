import type { TaskScheduler } from '@floy/contracts';
import { ConflictError } from '@floy/domain';
import { readTask, tasksOfDeployment } from '../read-models/tasks.js';
import type { DeploymentRow, TaskRow } from '../rows.js';
import { rowOf } from '../statement.js';
import type { Transaction } from '../transaction.js';
import { creatingRelease } from './release-changes.js';
import { settingStatus, setStatus } from './set-status.js';

/** How long a build or test task may wait for a runner. Seconds. */
const waitForRunnerSeconds = 3600;

/** What a deploy task ships, where a build of its deployment has made it. */
export interface Built {
  artifact_sha256: string | null;
  image: string | null;
}

/**
 * The seeds' TaskScheduler in one transaction. `advance` folds a deployment: it is an argument since
 * the fold hands its tasks out by this scheduler.
 */
export function createTaskScheduler(
  tx: Transaction,
  advance: (deploymentId: string) => Promise<void>,
): TaskScheduler {
  return {
    /** Hands a build or test to the runners, or makes the release of a deploy task; once. */
    async scheduleTask({ id }) {
      const [deployment, task, built] = await tx.together(
        rowOf<DeploymentRow>(
          `SELECT * FROM deployments WHERE id = (SELECT deployment_id FROM tasks WHERE id = ?)
           FOR NO KEY UPDATE`,
          [id],
        ),
        rowOf<TaskRow>(
          `UPDATE tasks SET scheduled_at = now(), updated_at = now(), deadline_at =
             CASE WHEN type <> 'deploy' THEN now() + interval '${waitForRunnerSeconds} seconds' END
           WHERE id = ? AND scheduled_at IS NULL AND status = 'pending' RETURNING *`,
          [id],
        ),
        rowOf<Built>(
          `SELECT b.artifact_sha256, b.image FROM tasks b
           JOIN tasks t ON t.deployment_id = b.deployment_id AND t.application_id = b.application_id
           WHERE t.id = ? AND b.type = 'build' AND b.status = 'success'`,
          [id],
        ),
      );
      if (!deployment || !task) return;
      const { type } = task;
      tx.event({
        stream: deployment.id,
        type: 'task.scheduled',
        subject: id,
        data: { type },
      });
      if (type === 'deploy') return begin(deployment, task, built);
      tx.send('run-task', { task_id: id, deployment_id: deployment.id });
      if (task.deadline_at)
        tx.send('advance-deployment', { deployment_id: deployment.id }, task.deadline_at);
    },

    async getNextTask() {
      const row = await tx.row<{ id: string }>(
        `SELECT id FROM tasks WHERE status = 'pending' AND scheduled_at IS NOT NULL
         ORDER BY scheduled_at, position LIMIT 1`,
      );
      return row ? readTask(tx.knex, row.id) : null;
    },

    /** Changes nothing where the task has left the states that allow it. */
    async updateTaskStatus(id, status, result, kept = {}) {
      if (status === 'pending')
        throw new ConflictError(`Task ${id} becomes pending by a retry of its deployment only`);
      const [deployment, task] = await tx.together(
        rowOf<DeploymentRow>(
          `SELECT * FROM deployments WHERE id = (SELECT deployment_id FROM tasks WHERE id = ?)
           FOR NO KEY UPDATE`,
          [id],
        ),
        rowOf<Pick<TaskRow, 'type'>>('SELECT type FROM tasks WHERE id = ?', [id]),
      );
      if (!deployment || !task) return;
      const now = tx.build.fn.now();
      const times = status === 'running' ? { started_at: now } : { deadline_at: null };
      if (!(await setStatus(tx, 'task', id, status, { result, ...kept, ...times }))) return;
      const of = { stream: deployment.id, subject: id };
      const { artifact_sha256, image, commit, error_message: message = '' } = kept;
      if (status === 'running') {
        tx.event({ ...of, type: 'task.running', data: { type: task.type } });
        return;
      }
      if (status === 'failed') {
        tx.event({ ...of, type: 'task.failed', data: { code: 'TASK_FAILED', message } });
      } else {
        const made = { sha256: artifact_sha256, image, commit };
        tx.event({ ...of, type: 'task.success', data: withoutNulls(made) });
      }
      await advance(deployment.id);
    },

    getTasksByDeployment: (deploymentId) => tasksOfDeployment(tx.knex, deploymentId),
  };

  async function begin(
    deployment: DeploymentRow,
    task: TaskRow,
    built: Built | undefined,
  ): Promise<void> {
    const { id, type } = task;
    tx.event({ stream: deployment.id, type: 'task.running', subject: id, data: { type } });
    await tx.together(
      settingStatus(tx, 'task', id, 'running', { started_at: tx.build.fn.now() }),
      ...creatingRelease(tx, deployment, task, built),
    );
  }
}

/** A copy without what is null or undefined. */
export function withoutNulls(values: Record<string, string | null | undefined>) {
  const there = Object.entries(values).filter((entry): entry is [string, string] =>
    Boolean(entry[1]),
  );
  return Object.fromEntries(there);
}
