import type { TaskRepository, TaskService } from '@floy/contracts';
import type { Transact } from '@floy/database/access';
import { retryTask } from '@floy/database/transitions/retry';
import { pageOf } from './paging.js';

/** Tasks as the API knows them. */
export function createTaskService(tasks: TaskRepository, transact: Transact): TaskService {
  return {
    async getTaskList({ deployment_id: deploymentId, status, type, ...paging }) {
      const page = pageOf(paging);
      const { items, total } = await tasks.list({ deploymentId, status, type, ...page });
      return { tasks: items, total, page: page.page, page_size: page.pageSize };
    },
    getTask: (id) => tasks.getById(id),
    async retryTask(actor, id) {
      await tasks.getById(id);
      await transact((tx) => retryTask(tx, id, actor.name));
      return tasks.getById(id);
    },
  };
}
