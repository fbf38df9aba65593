import { catalogues, type Catalogues } from '@floy/contracts';
import type { Knex } from 'knex';
import pg from 'pg';
import { createAfterCommit, type CommittedEvent, type Publisher } from './after-commit.js';
import { ProvenClient } from './proven-client.js';
import { createBuilder, createQueriesOn } from './queries.js';
import { createConnect, createRunAnywhere, createStatements } from './statements.js';
import { runTransaction, type Transaction } from './transaction.js';

export interface DatabaseOptions {
  url: string;
  /** Shown in `pg_stat_activity`. */
  applicationName: string;
  /** Hands freshly committed messages to the queue; without one the relay finds them. */
  publisher?: Publisher;
  /** Most connections at once; default 10. */
  poolSize?: number;
  /** Who puts releases where, and which messages there are; Floy's own where left out. */
  catalogues?: Catalogues;
  /** Told, for log and metrics, of what each transaction wrote into the history, after its commit. */
  onEvents?(events: readonly CommittedEvent[]): void;
}

/** The connections of a pool at this moment. */
export interface PoolDepth {
  readonly inUse: number;
  readonly idle: number;
  /** Callers that wait for one to be free. */
  readonly waiting: number;
}

/**
 * What is asked of it throws UnavailableError while Postgres is away, SlowStatementError where a
 * statement reached a limit on its time, and else what Postgres answered.
 */
export interface Database {
  readonly catalogues: Catalogues;
  readonly knex: Knex;
  readonly url: string;
  /** When Postgres last answered a statement of this process, by `performance.now()`. */
  answeredAt(): number;
  /**
   * Runs `work` in one transaction and, after its commit, publishes its messages and nudges.
   * Deadlocks and serialization failures run `work` again, so it may have no effect but on `tx`.
   * Never wait for I/O inside.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  poolDepth(): PoolDepth;
  /** Resolves when everything committed so far has been handed to the queue. */
  flushed(): Promise<void>;
  close(): Promise<void>;
}

/** Session limits of every connection: nothing may hold a lock while it hangs. Milliseconds. */
const sessionLimits = {
  idle_in_transaction_session_timeout: 3000,
  lock_timeout: 3000,
  statement_timeout: 10_000,
  tcp_keepalives_idle: 5,
  tcp_keepalives_interval: 2,
  tcp_keepalives_count: 3,
};

/**
 * Longer than this no statement takes, behind the server's own limit: for a connection whose network
 * is gone. Milliseconds.
 */
export const statementLimitMs = 12_000;

/** Longer than a loaded machine takes; who must answer sooner asks beside it. Milliseconds. */
const connectLimitMs = 3000;

/** What `pg` needs to reach this database; used for the pool and for connections of their own. */
export function connectionSettings(url: string, applicationName: string): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: connectLimitMs,
    query_timeout: statementLimitMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5000,
    options: Object.entries(sessionLimits)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    types: { getTypeParser },
  };
}

/** bigint as number: counters and epochs (milliseconds and up) stay far below 2^53. */
const getTypeParser = ((oid: number, format?: 'text' | 'binary') =>
  oid === pg.types.builtins.INT8
    ? Number
    : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser;

/** A connection that has its limit on the time to connect from here, as its pool has none. */
class PooledClient extends ProvenClient {
  constructor(settings: pg.ClientConfig = {}) {
    super({ ...settings, connectionTimeoutMillis: connectLimitMs });
  }
}

export function createDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    ...connectionSettings(options.url, options.applicationName),
    // Who waits for others of this process waits in turn: only Postgres can be away.
    connectionTimeoutMillis: 0,
    Client: PooledClient,
    max: options.poolSize ?? 10,
    idleTimeoutMillis: 60_000,
    // Statements that are sent without waiting in between travel together.
    pipeline: true,
  });
  const connect = createConnect(pool);
  const statements = createStatements();
  const queries = createQueriesOn(createRunAnywhere(connect, statements));
  const connections = {
    connect,
    statements,
    build: createBuilder(),
    catalogues: options.catalogues ?? catalogues,
  };
  const afterCommit = createAfterCommit(queries, options.publisher);
  return {
    catalogues: connections.catalogues,
    knex: queries,
    url: options.url,
    answeredAt: statements.answeredAt,
    transaction: (work) =>
      runTransaction(connections, work, (effects) => {
        afterCommit.dispatch(effects);
        if (effects.events.length > 0) options.onEvents?.(effects.events);
      }),
    poolDepth: () => ({
      inUse: pool.totalCount - pool.idleCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
    }),
    flushed: afterCommit.flushed,
    async close() {
      await afterCommit.flushed();
      await pool.end();
    },
  };
}
