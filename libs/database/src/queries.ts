import { UnavailableError } from '@floy/domain';
import knex, { type Knex } from 'knex';
import type pg from 'pg';
import type { Answer, RunStatement } from './statements.js';

/** What fails is thrown; nothing of it is printed beside the log. */
const log = { warn: () => undefined, error: () => undefined, debug: () => undefined };

/** Builds queries; there is no connection to run one on. */
export function createBuilder(): Knex {
  return knex({ client: 'pg' });
}

/** Builds queries and runs them as statements: of one transaction, or on whichever connection. */
export function createQueriesOn(run: RunStatement): Knex {
  const connection = {
    query({ text, values }: pg.QueryConfig, settle: (error: unknown, answer?: Answer) => void) {
      void run(text, values).then(
        (answer) => settle(null, answer),
        (error: unknown) => settle(withItsMessage(error)),
      );
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

/** Knex puts the statement into the message of an error, and that of this one is shown to users. */
function withItsMessage(error: unknown): unknown {
  if (!(error instanceof UnavailableError)) return error;
  const { message } = error;
  return Object.defineProperty(error, 'message', { get: () => message, set() {} });
}
