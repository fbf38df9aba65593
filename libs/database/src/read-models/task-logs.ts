import type { TaskLogLine } from '@floy/contracts';
import type { Knex } from 'knex';

interface LogRow extends Omit<TaskLogLine, 'at'> {
  readonly at: Date;
}

/** What a task printed behind line `after`, oldest first. */
export async function readTaskLog(
  knex: Knex,
  taskId: string,
  after: number,
  limit: number,
): Promise<TaskLogLine[]> {
  const rows = (await knex('task_logs')
    .where({ task_id: taskId })
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit)
    .select('*')) as LogRow[];
  return rows.map(({ seq, at, source, text }) => ({ seq, at: at.toISOString(), source, text }));
}
