import pg from 'pg';
import { postgresError } from './outages.js';

/** Runs one statement; in a transaction `?` is a value. Throws what `postgresError` makes of it. */
export type RunStatement = (sql: string, values?: readonly unknown[]) => Promise<Answer>;

export interface Answer {
  rows: object[];
  /** How many rows a statement changed, or how many it answered. */
  rowCount: number;
  /** What was carried out, as Postgres says: `SELECT`, `COMMIT`. */
  command: string;
}

/** The statements of a pool: texts are few and come again, and these are worth preparing. */
export interface Statements {
  /** The text as Postgres wants it, and the name to prepare it under where that is worth it. */
  find(sql: string): { text: string; name?: string };
  /** Has every text prepared anew, on every connection, from its next use on. */
  renew(): void;
  /** Notes that Postgres has answered one. */
  answered(): void;
  /** When it last did, by `performance.now()`. */
  answeredAt(): number;
}

/** Before this it may be a text that is never seen again, such as an insert of so many rows. */
const usesBefore = 3;
/** Texts that are remembered and, of these, kept by the server of every connection at most. */
const mostTexts = 1000;

export function createStatements(): Statements {
  const known = new Map<string, { text: string; number: number; uses: number }>();
  let generation = 0;
  let answeredAt = -Infinity;
  return {
    find(sql) {
      let statement = known.get(sql);
      if (statement === undefined) {
        statement = { text: positioned(sql), number: known.size, uses: 0 };
        if (known.size >= mostTexts) return { text: statement.text };
        known.set(sql, statement);
      }
      statement.uses += 1;
      const { text, number, uses } = statement;
      return uses > usesBefore ? { text, name: `floy_${generation}_${number}` } : { text };
    },
    renew() {
      generation += 1;
    },
    answered() {
      answeredAt = performance.now();
    },
    answeredAt: () => answeredAt,
  };
}

/** `?` as `$1`, `$2` and so on: no text of a statement holds a `?` for anything else. */
function positioned(sql: string): string {
  let position = 0;
  return sql.replaceAll('?', () => `$${(position += 1)}`);
}

/** Why a connection broke while nothing ran on it: the next statement only hears that it did. */
const brokenBy = new WeakMap<pg.PoolClient, Error>();

/**
 * Takes connections from a pool. One that breaks fails what runs on it and leaves the pool; nobody
 * else has to hear. Throws what `postgresError` makes of it.
 */
export function createConnect(pool: pg.Pool): () => Promise<pg.PoolClient> {
  pool.on('error', () => undefined);
  pool.on('connect', (connection) =>
    connection.on('error', (error) => {
      // The first says why, and those that follow only that it is gone.
      if (!brokenBy.has(connection)) brokenBy.set(connection, error);
    }),
  );
  return () =>
    pool.connect().catch((error: unknown) => {
      throw postgresError(error);
    });
}

/** Runs each of Knex' statements, as it is and unprepared, on whichever connection is free. */
export function createRunAnywhere(
  connect: () => Promise<pg.PoolClient>,
  statements: Statements,
): RunStatement {
  const unprepared: Statements = { ...statements, find: (text) => ({ text }) };
  return async (sql, values) => {
    const connection = await connect();
    let broken: Error | undefined;
    try {
      return await createRunStatement(connection, unprepared)(sql, values);
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) broken = error as Error;
      throw error;
    } finally {
      connection.release(broken);
    }
  };
}

/**
 * Runs statements on a connection, which carries them out in the order of the calls. It has to be
 * one with `pipeline`: what is sent without waiting in between travels together. A statement that
 * comes again is parsed and planned once per connection instead of every time.
 *
 * A migration of a newer Floy may add columns to what a prepared statement of this one selects; the
 * server refuses its next use, and the transaction has to be run again (`isStalePlan`).
 */
export function createRunStatement(
  connection: pg.PoolClient,
  statements: Statements,
): RunStatement {
  return (sql, values = []) =>
    new Promise((resolve, reject) => {
      const { text, name } = statements.find(sql);
      // Made here, since `pg` copies a plain object at the price of sending it.
      const query = new pg.Query(text, [...values]);
      const answered = (error: Error | null, answer: pg.QueryResult<object>): void => {
        if (isStalePlan(error)) statements.renew();
        if (error) return reject(postgresError(brokenBy.get(connection) ?? error));
        statements.answered();
        resolve({ rows: answer.rows, rowCount: answer.rowCount ?? 0, command: answer.command });
      };
      // `pg` writes each query by itself: held back until everything of this turn is written.
      const { stream } = connection.connection;
      stream.cork();
      process.nextTick(() => stream.uncork());
      connection.query(Object.assign(query, { name, callback: answered }));
    });
}

/** "cached plan must not change result type": the schema has grown since it was prepared. */
export function isStalePlan(error: unknown): boolean {
  const { code, routine } = (error ?? {}) as { code?: unknown; routine?: unknown };
  return code === '0A000' && routine === 'RevalidateCachedQuery';
}
