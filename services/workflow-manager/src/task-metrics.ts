import type { Database } from '@floy/database/database';
import { taskScheduler } from '@floy/database/transitions/advance';
import type { Metrics } from '@floy/service-kit/metrics';

/** Has the metrics tell whether the installation's runners take the tasks that wait for them. */
export function observeTasks(metrics: Metrics, database: Pick<Database, 'transaction'>): void {
  metrics.sampled(
    'floy_task_oldest_waiting_seconds',
    'How long the build or test that waits longest for a runner has waited; 0 where none waits',
    [],
    async () => [{ labels: {}, value: await longestWaitSeconds(database) }],
  );
}

function longestWaitSeconds(database: Pick<Database, 'transaction'>): Promise<number> {
  return database.transaction(async (tx) => {
    const task = await taskScheduler(tx).getNextTask();
    if (!task?.scheduled_at) return 0;
    const now = await tx.now();
    return Math.max(0, (now.getTime() - Date.parse(task.scheduled_at)) / 1000);
  });
}
