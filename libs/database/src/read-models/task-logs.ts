import type { TaskLogLine } from '@floy/contracts';
import type { Knex } from 'knex';

interface LogRow extends Omit<TaskLogLine, 'at'> {
  readonly at: Date;
  readonly there: number;
}

/** Pieces of a log, and whether there are more behind them already. */
export interface ReadLog {
  readonly lines: TaskLogLine[];
  readonly more: boolean;
}

/**
 * The most text that one look reads, and one piece more. Bytes. A piece may hold half a megabyte,
 * of which JSON makes six times as much where all of it is control characters.
 */
const MOST_BYTES = 256 * 1024;

/** What a task printed behind line `after`, oldest first: some lines of it, one at least. */
export async function readTaskLog(
  knex: Knex,
  taskId: string,
  after: number,
  limit: number,
): Promise<ReadLog> {
  // The length of a text is known without reading it.
  const { rows } = await knex.raw<{ rows: LogRow[] }>(
    `SELECT seq, at, source, text, there::int FROM (
       SELECT *, count(*) OVER () AS there,
         sum(octet_length(text)) OVER (ORDER BY seq) - octet_length(text) AS before
       FROM (SELECT * FROM task_logs WHERE task_id = ? AND seq > ? ORDER BY seq LIMIT ?) AS next
     ) AS counted WHERE before < ? ORDER BY seq`,
    [taskId, after, limit + 1, MOST_BYTES],
  );
  const read = rows.slice(0, limit);
  return {
    lines: read.map(({ seq, at, source, text }) => ({ seq, at: at.toISOString(), source, text })),
    more: read.length < (rows[0]?.there ?? 0),
  };
}
