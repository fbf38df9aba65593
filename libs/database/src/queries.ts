import knex, { type Knex } from 'knex';
import type pg from 'pg';
import type { Answer, RunStatement } from './statements.js';

/** What fails is thrown; nothing of it is printed beside the log. */
const log = { warn: () => undefined, error: () => undefined, debug: () => undefined };

/** Builds queries; there is no connection to run one on. */
export function createBuilder(): Knex {
  return knex({ client: 'pg' });
}

/** Builds queries and runs each on any connection of a pool. */
export function createQueries(connectionPool: pg.Pool): Knex {
  return knex({ client: 'pg', connectionPool, log });
}

/** Builds queries and runs them as statements of one transaction. */
export function createQueriesOn(run: RunStatement): Knex {
  const connection = {
    query({ text, values }: pg.QueryConfig, settle: (error: unknown, answer?: Answer) => void) {
      void run(text, values).then((answer) => settle(null, answer), settle);
    },
  };
  // All that knex asks of a pool that it does not own; the counts only tell it what kind it is.
  const connectionPool = {
    acquire: () => ({ promise: Promise.resolve(connection) }),
    release: () => true,
    destroy: () => Promise.resolve(),
    numFree: () => 0,
    numUsed: () => 1,
    numPendingAcquires: () => 0,
  };
  return knex({ client: 'pg', connectionPool, log });
}
