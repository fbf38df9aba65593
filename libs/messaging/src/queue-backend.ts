import {
  createPostgresBackend,
  DEFAULT_SCHEMA,
  Queue,
  runMigrations,
  withBackend,
  Worker,
  type WorkerOptions,
} from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { postgresError } from '@floy/database/outages';
import { UnavailableError } from '@floy/domain';

/** What a job carries: the message's id, nothing else (law 1). */
export interface JobData {
  id: string;
}

/** A queue to put jobs on; the same id again does nothing while the first is there. */
export interface JobQueue {
  /** Throws UnavailableError where the queue did not take them. */
  add(jobs: { kind: string; jobId: string; id: string }[]): Promise<void>;
  /** For the board only. */
  readonly bullmq: Queue;
  close(): Promise<void>;
}

/** Takes jobs off a queue, from its first `resume` on. */
export interface JobWorker {
  resume(): void;
  /** Takes no more; what is in work goes on. */
  pause(): void;
  /** Waits for jobs in work; with `force` it does not. */
  close(force?: boolean): Promise<void>;
}

/** `redelivered` is true where the queue hands a job out that was begun before. */
export type JobProcessor = (job: {
  id: string;
  kind: string;
  redelivered: boolean;
}) => Promise<void>;

export interface QueueBackend {
  readonly kind: 'redis' | 'postgres';
  /**
   * Throws where the server cannot be used (an evicting Redis loses jobs), and UnavailableError
   * where it is away.
   */
  check(): Promise<void>;
  queue(name: string): JobQueue;
  worker(name: string, process: JobProcessor, options: { concurrency: number }): JobWorker;
  /** Answers within a second whether the queue's server can be reached. */
  reachable(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Jobs are gone however they end, history is in Postgres. Short locks and a high stall count make a
 * killed worker's short jobs come back within seconds, as often as it takes; the message's own
 * counter is what ends poison. (BullMQ's defaults: 30 s, and failed for good at the second stall.)
 */
const workerOptions = {
  autorun: false,
  lockDuration: 5000,
  stalledInterval: 3000,
  maxStalledCount: 1_000_000,
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
  runRetryDelay: 1000,
} satisfies Partial<WorkerOptions>;

const failurePauseMs = 250;
const jobOptions = { attempts: 1, removeOnComplete: true, removeOnFail: true };

/** Chooses by the URL's scheme. Anything else is refused here rather than looped on later. */
export function createQueueBackend(url: string): QueueBackend {
  const { protocol } = new URL(url);
  if (protocol === 'redis:' || protocol === 'rediss:') return createRedisBackend(url);
  if (protocol === 'postgres:' || protocol === 'postgresql:')
    return createPostgresQueueBackend(url);
  throw new Error(
    `the queue's URL has to begin with redis://, rediss:// or postgres://, not ${protocol}//`,
  );
}

function createRedisBackend(url: string): QueueBackend {
  const reconnect = {
    retryStrategy: (times: number) => Math.min(times * 100, 1000),
    connectTimeout: 2000,
  };
  // A producer must fail at once when Redis is away: the relay publishes again.
  const producer = {
    ...reconnect,
    url,
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    commandTimeout: 1000,
  };
  const consumer = { ...reconnect, url, maxRetriesPerRequest: null };
  return {
    kind: 'redis',
    check: () => refuseEviction(url),
    queue: (name) =>
      jobQueue(
        new Queue(name, {
          connection: producer,
          defaultJobOptions: jobOptions,
        }),
      ),
    worker: (name, process, options) =>
      jobWorker(
        new Worker<JobData>(
          name,
          (job) =>
            process({ id: job.data.id, kind: job.name, redelivered: job.attemptsStarted > 1 }),
          { connection: consumer, ...workerOptions, ...options },
        ),
      ),
    reachable: () =>
      withClient(url, async (client) => (await client.ping()) === 'PONG').catch(() => false),
    close: async () => undefined,
  };
}

async function refuseEviction(url: string): Promise<void> {
  const info = await withClient(url, (client) => client.info('memory')).catch((error: unknown) => {
    // A wrong password is an answer, and will be the same the next time; LOADING ends.
    const isAnswer = error instanceof Error && error.name === 'ReplyError';
    if (isAnswer && !error.message.startsWith('LOADING')) throw error;
    throw queueIsAway(error);
  });
  const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1];
  if (policy && policy !== 'noeviction') {
    throw new Error(`Redis evicts keys (maxmemory-policy ${policy}): Floy needs noeviction`);
  }
}

async function withClient<T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    connectTimeout: 800,
    commandTimeout: 800,
    retryStrategy: () => null,
  });
  // A refused login is only told here; whoever waits hears that the connection is closed.
  let refusal: Error | undefined;
  client.on('error', (error) => (refusal ??= error));
  try {
    await client.connect();
    return await use(client);
  } catch (error) {
    throw refusal ?? error;
  } finally {
    client.disconnect();
  }
}

function createPostgresQueueBackend(url: string): QueueBackend {
  // Every worker keeps one connection for LISTEN, hence the size. A pool that is handed to BullMQ
  // has to name the schema itself.
  const pool = new PatientPool({
    connectionString: url,
    max: 20,
    application_name: 'floy-queue',
    connectionTimeoutMillis: 2000,
    options: `-c search_path=${DEFAULT_SCHEMA}`,
  });
  pool.on('error', () => undefined);
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
    queue: (name) =>
      jobQueue(
        new bound.Queue(name, {
          connection: pool,
          defaultJobOptions: jobOptions,
        }) as unknown as Queue,
      ),
    worker: (name, process, options) =>
      jobWorker(
        new bound.Worker<JobData>(
          name,
          (job) =>
            process({ id: job.data.id, kind: job.name, redelivered: job.attemptsStarted > 1 }),
          { connection: pool, ...workerOptions, ...options },
        ),
      ),
    reachable: () =>
      pool.query('SELECT 1').then(
        () => true,
        () => false,
      ),
    close: () => pool.end(),
  };
}

/**
 * A worker of BullMQ asks again at once when a query fails: without this pause it would spin for as
 * long as Postgres is away.
 */
class PatientPool extends pg.Pool {
  constructor(config: pg.PoolConfig) {
    super(config);
    const query = this.query.bind(this) as (...words: unknown[]) => Promise<unknown>;
    const patient = async (...words: unknown[]): Promise<unknown> => {
      try {
        return await query(...words);
      } catch (error) {
        await new Promise((resolve) => setTimeout(resolve, failurePauseMs));
        throw error;
      }
    };
    this.query = patient as typeof this.query;
  }
}

function jobQueue(queue: Queue): JobQueue {
  quiet(queue);
  return {
    async add(jobs) {
      const bulk = jobs.map(({ kind, jobId, id }) => ({
        name: kind,
        data: { id },
        opts: { jobId },
      }));
      await queue.addBulk(bulk).catch((error: unknown) => Promise.reject(queueIsAway(error)));
    },
    bullmq: queue,
    close: () => queue.close(),
  };
}

/** The part of BullMQ's worker that is the same on both backends. */
interface BullWorker {
  on(event: 'error', listener: () => void): unknown;
  run(): Promise<void>;
  resume(): Promise<void>;
  pause(doNotWaitActive: boolean): Promise<void>;
  close(force?: boolean): Promise<void>;
}

function jobWorker(worker: BullWorker): JobWorker {
  quiet(worker);
  // `resume` starts it and waits for nothing: what ends it must not end the process.
  const run = worker.run.bind(worker);
  worker.run = () => run().catch(() => undefined);
  return {
    resume: () => void worker.resume(),
    pause: () => void worker.pause(true),
    close: (force) => worker.close(force),
  };
}

function queueIsAway(cause: unknown): UnavailableError {
  return new UnavailableError('The queue cannot be reached right now', {}, { cause });
}

/** Errors of a queue's connection are none of ours: it reconnects, and behind it is the relay. */
function quiet<T extends { on(event: 'error', listener: () => void): unknown }>(emitter: T): T {
  emitter.on('error', () => undefined);
  return emitter;
}
