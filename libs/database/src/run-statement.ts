import type { Knex } from 'knex';
import type pg from 'pg';

/** Runs one statement; `?` stands for a value. */
export type RunStatement = (sql: string, values?: readonly unknown[]) => Promise<Answer>;

export interface Answer {
  rows: object[];
  /** How many rows a statement changed, or how many it answered. */
  rowCount: number;
}

/** Texts of statements are few and come again; a generated one is not worth keeping. */
const mostTexts = 1000;
const positioned = new Map<string, string>();

/**
 * Runs statements of a transaction right on its connection. Knex would do the same some turns of the
 * event loop later, how many depending on how the query was built: then the order of the calls would
 * not be the order on the wire.
 */
export async function openStatements(trx: Knex.Transaction): Promise<{
  readonly run: RunStatement;
  /** Refuses everything from now on: what was sent after COMMIT or ROLLBACK would happen by itself. */
  close(): void;
}> {
  const connection = (await trx.client.acquireConnection()) as pg.Client;
  let closed = false;
  const run: RunStatement = (sql, values = []) =>
    new Promise((resolve, reject) => {
      if (closed) return reject(new Error('The transaction is over'));
      const statement = { text: positionsOf(sql), values: [...values] };
      connection.query(statement, (error: Error | null, answer: pg.QueryResult<object>) => {
        if (error) reject(error);
        else resolve({ rows: answer.rows, rowCount: answer.rowCount ?? 0 });
      });
    });
  return { run, close: () => void (closed = true) };
}

/** `?` as `$1`, `$2` and so on: no text of a statement holds a `?` for anything else. */
function positionsOf(sql: string): string {
  const known = positioned.get(sql);
  if (known !== undefined) return known;
  let position = 0;
  const text = sql.replaceAll('?', () => `$${(position += 1)}`);
  if (positioned.size < mostTexts) positioned.set(sql, text);
  return text;
}
