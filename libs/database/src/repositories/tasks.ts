import type { Task, TaskRepository } from '@floy/contracts';
import { ConflictError, isFinal } from '@floy/domain';
import type { Knex } from 'knex';
import { newId } from '../ids.js';
import type { TaskRow } from '../rows.js';
import { advanceDeployment } from '../transitions/advance.js';
import { lockDeployment } from '../transitions/load-tree.js';
import { setStatus } from '../transitions/set-status.js';
import type { Transact } from './deployments.js';
import { findById, found, listed } from './find.js';

/** Tasks: read from `knex`, their statuses written by transitions inside `transact`. */
export function createTaskRepository(knex: Knex, transact: Transact): TaskRepository {
  return {
    create: (task) =>
      transact(async (tx) => {
        const deployment = await lockDeployment(tx, task.deployment_id);
        const workflow = await tx.row<{ id: string; next: number }>(
          `SELECT w.id, (SELECT count(*)::int FROM tasks t WHERE t.workflow_id = w.id) AS next
           FROM workflows w WHERE w.deployment_id = ?`,
          [found(deployment, 'deployment', task.deployment_id).id],
        );
        const { id: workflow_id, next } = found(workflow, 'workflow of', task.deployment_id);
        const row = { id: newId('task'), workflow_id, position: next, ...task };
        await tx.knex('tasks').insert(row);
        return readTask(tx.knex, row.id);
      }),
    getById: (id) => readTask(knex, id),
    list({ deploymentId, status, type, ...page }) {
      const query = knex('tasks').select('*');
      if (deploymentId !== undefined) query.where('deployment_id', deploymentId);
      if (status !== undefined) query.where('status', status);
      if (type !== undefined) query.where('type', type);
      return listed(query, page, taskOf);
    },
    update: ({ id, status, result }) =>
      transact(async (tx) => {
        const task = await readTask(tx.knex, id);
        await lockDeployment(tx, task.deployment_id);
        const started = status === 'running' ? { started_at: await tx.now() } : {};
        const changed = await setStatus(tx, 'task', id, status, { result, ...started });
        if (!changed) {
          throw new ConflictError(`Task ${id} is ${task.status}: it cannot become ${status}`);
        }
        tx.event({ stream: task.deployment_id, type: `task.${status}`, subject: id });
        if (isFinal('task', status)) await advanceDeployment(tx, task.deployment_id);
      }),
    getByDeploymentId: (deploymentId) => tasksOfDeployment(knex, deploymentId),
  };
}

/** The tasks of a deployment, in the order in which they were planned; of undos those of its round. */
export async function tasksOfDeployment(knex: Knex, deploymentId: string): Promise<Task[]> {
  const rows = await knex<TaskRow>('tasks')
    .where({ deployment_id: deploymentId })
    .whereRaw(
      '(undo_of IS NULL OR round = (SELECT round FROM deployments WHERE id = deployment_id))',
    )
    .orderBy(['position', 'created_at', 'id'])
    .select('*');
  return (rows as TaskRow[]).map(taskOf);
}

/** A task as the API shows it. Throws NotFoundError. */
export async function readTask(knex: Knex, id: string): Promise<Task> {
  const query = knex('tasks').where({ id });
  return taskOf(await findById<TaskRow>(query, 'task', 'task', id));
}

/** The wire form of a row. */
export function taskOf(row: TaskRow): Task {
  return {
    id: row.id,
    deployment_id: row.deployment_id,
    type: row.type,
    status: row.status,
    payload: row.payload,
    result: row.result,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    started_at: row.started_at?.toISOString() ?? null,
    completed_at: row.completed_at?.toISOString() ?? null,
    application_id: row.application_id,
    workflow_id: row.workflow_id,
    depends_on: row.depends_on,
    undo_of: row.undo_of,
    not_run: row.not_run,
  };
}
