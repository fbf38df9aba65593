import type { DeploymentProgress } from '@floy/contracts';
import type { Knex } from 'knex';
import { readDeployment } from '../repositories/deployments.js';
import { tasksOfDeployment } from './tasks.js';

/** How far a deployment is. Throws NotFoundError. */
export async function readProgress(knex: Knex, id: string): Promise<DeploymentProgress> {
  const { status } = await readDeployment(knex, id);
  const tasks = await tasksOfDeployment(knex, id);
  const running = tasks.filter((task) => task.status === 'running' && task.started_at !== null);
  running.sort((a, b) => (a.started_at! < b.started_at! ? -1 : 1));
  return {
    deployment_id: id,
    status,
    total_tasks: tasks.length,
    completed_tasks: tasks.filter((task) => task.status === 'success').length,
    failed_tasks: tasks.filter((task) => task.status === 'failed').length,
    current_task: running[0] ?? null,
  };
}
