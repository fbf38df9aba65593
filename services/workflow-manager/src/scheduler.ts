import type { TaskScheduler } from '@floy/contracts';
import {
  createTaskRepository,
  readTask,
  tasksOfDeployment,
} from '@floy/database/repositories/tasks';
import type { Transaction } from '@floy/database/transaction';
import { lockDeployment } from '@floy/database/transitions/load-tree';
import { scheduleTask } from '@floy/database/transitions/task-changes';

/** The seeds' TaskScheduler, in one transaction. What is ready is scheduled by the fold itself. */
export function createTaskScheduler(tx: Transaction): TaskScheduler {
  const tasks = createTaskRepository(tx.knex, (work) => work(tx));
  return {
    async scheduleTask({ id }) {
      const { deployment_id } = await tasks.getById(id);
      const deployment = await lockDeployment(tx, deployment_id);
      if (deployment) await scheduleTask(tx, deployment, id);
    },

    async getNextTask() {
      const row = await tx.row<{ id: string }>(
        `SELECT id FROM tasks WHERE status = 'pending' AND scheduled_at IS NOT NULL
         ORDER BY scheduled_at, position LIMIT 1`,
      );
      return row ? readTask(tx.knex, row.id) : null;
    },

    async updateTaskStatus(id, status, result) {
      await tasks.update({ ...(await tasks.getById(id)), status, result });
    },

    getTasksByDeployment: (deploymentId) => tasksOfDeployment(tx.knex, deploymentId),
  };
}
