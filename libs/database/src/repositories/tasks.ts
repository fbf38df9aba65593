import type { TaskRepository } from '@floy/contracts';
import { ConflictError, statesBefore } from '@floy/domain';
import type { Access } from '../access.js';
import { newId } from '../ids.js';
import { readTask, taskOf, tasksOfDeployment } from '../read-models/tasks.js';
import { listedOrigins } from '../rows.js';
import { taskScheduler } from '../transitions/advance.js';
import { lockDeployment } from '../transitions/load-tree.js';
import { found, listed } from './find.js';

/** Tasks: their statuses are written by the TaskScheduler. */
export function createTaskRepository({ knex, transact }: Access): TaskRepository {
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
      query.whereRaw('deployment_id IN (SELECT id FROM deployments WHERE origin = ANY(?))', [
        [...listedOrigins],
      ]);
      if (deploymentId !== undefined) query.where('deployment_id', deploymentId);
      if (status !== undefined) query.where('status', status);
      if (type !== undefined) query.where('type', type);
      return listed(query, page, taskOf);
    },
    update: ({ id, status, result }) =>
      transact(async (tx) => {
        const { deployment_id } = await readTask(tx.knex, id);
        await lockDeployment(tx, deployment_id);
        const task = await readTask(tx.knex, id);
        if (!statesBefore('task', status).includes(task.status))
          throw new ConflictError(`Task ${id} is ${task.status}: it cannot become ${status}`);
        await taskScheduler(tx).updateTaskStatus(id, status, result);
      }),
    getByDeploymentId: (deploymentId) => tasksOfDeployment(knex, deploymentId),
  };
}
