import type { Deployment, DeploymentProgress, Task } from '@floy/contracts';

/** How far a deployment is that has these tasks. */
export function progressOf(
  { id, status, waiting_for }: Pick<Deployment, 'id' | 'status' | 'waiting_for'>,
  tasks: readonly Task[],
): DeploymentProgress {
  const running = tasks.filter((task) => task.status === 'running' && task.started_at !== null);
  running.sort((a, b) => (a.started_at! < b.started_at! ? -1 : 1));
  return {
    deployment_id: id,
    status,
    total_tasks: tasks.length,
    completed_tasks: tasks.filter((task) => task.status === 'success').length,
    failed_tasks: tasks.filter((task) => task.status === 'failed').length,
    current_task: running[0] ?? null,
    waiting_for,
  };
}
