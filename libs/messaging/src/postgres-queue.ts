import {
  createPostgresBackend,
  DEFAULT_SCHEMA,
  runMigrations,
  withBackend,
  type Queue,
} from 'bullmq';
import { setTimeout as delay } from 'node:timers/promises';
import { statementLimitMs } from '@floy/database/database';
import { postgresError } from '@floy/database/outages';
import { ProvenClient } from '@floy/database/proven-client';
import pg from 'pg';
import {
  jobOptions,
  jobQueue,
  jobWorker,
  processJob,
  workerOptions,
  type JobData,
} from './bullmq-jobs.js';
import type { QueueBackend } from './job-queue.js';

/** How long a server may take to answer that it is there. Milliseconds. */
const reachableMs = 1000;

/** The pause after a query that failed. Milliseconds. */
const failurePauseMs = 250;

/** Queues in a schema of their own of a Postgres. */
export function createPostgresQueueBackend(url: string): QueueBackend {
  // Every worker keeps one connection for LISTEN, hence the size. A pool that is handed to BullMQ
  // has to name the schema itself.
  const pool = createPatientPool({
    connectionString: url,
    Client: ProvenClient,
    max: 20,
    application_name: 'floy-queue',
    connectionTimeoutMillis: 2000,
    // For connections whose network is gone: without a limit each would be lost to the pool.
    query_timeout: statementLimitMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5000,
    options: `-c search_path=${DEFAULT_SCHEMA}`,
  });
  pool.on('error', () => undefined);
  // The pool listens to idle connections only, and BullMQ not to all that it has in use: one that
  // breaks between two of its statements would end the process.
  pool.on('connect', (connection) => connection.on('error', () => undefined));
  // Every queue and worker listens for its errors.
  pool.setMaxListeners(0);
  const bound = withBackend(createPostgresBackend);
  return {
    kind: 'postgres',
    async check() {
      try {
        const client = await pool.connect();
        await runMigrations(client).finally(() => client.release());
      } catch (error) {
        throw postgresError(error);
      }
    },
    queue(name) {
      const queue = new bound.Queue(name, {
        connection: pool,
        defaultJobOptions: jobOptions,
      }) as unknown as Queue;
      return jobQueue(queue, {
        mend: () => queue.resume(),
        waits: async (jobId) => (await queue.getJob(jobId)) !== undefined,
      });
    },
    worker: (name, process, options) =>
      jobWorker(
        new bound.Worker<JobData>(name, processJob(process), {
          connection: pool,
          ...workerOptions,
          ...options,
        }),
      ),
    async reachable() {
      const given = new AbortController();
      const late = delay(reachableMs, false, { signal: given.signal }).catch(() => false);
      const asked = pool.query('SELECT 1').then(
        () => true,
        () => false,
      );
      return Promise.race([asked, late]).finally(() => given.abort());
    },
    close: () => pool.end(),
  };
}

/**
 * A worker of BullMQ asks again at once when a query fails: without this pause it would spin for as
 * long as Postgres is away.
 */
function createPatientPool(config: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(config);
  const query = pool.query.bind(pool) as (...words: unknown[]) => Promise<unknown>;
  const patient = async (...words: unknown[]): Promise<unknown> => {
    try {
      return await query(...words);
    } catch (error) {
      await new Promise((resolve) => setTimeout(resolve, failurePauseMs));
      throw error;
    }
  };
  pool.query = patient as typeof pool.query;
  return pool;
}
