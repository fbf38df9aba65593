import { Redis, type RedisOptions } from 'ioredis';
import {
  jobOptions,
  jobQueue,
  jobWorker,
  processJob,
  queueIsAway,
  workerOptions,
  type JobData,
} from './bullmq-jobs.js';
import type { QueueBackend } from './job-queue.js';
import { SmallJobQueue, SmallJobWorker } from './small-jobs.js';

type RedisAddress = Pick<RedisOptions, 'path' | 'username' | 'password' | 'db'> & { url?: string };

/** How ioredis reaches the server of a URL: it knows no path in the place of the host. */
function addressOf(url: string): RedisAddress {
  const { hostname, username, password, pathname } = new URL(url);
  const path = decodeURIComponent(hostname);
  if (!path.startsWith('/')) return { url };
  return {
    path,
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    db: Number(pathname.slice(1)),
  };
}

/** Queues on a Redis. */
export function createRedisBackend(url: string): QueueBackend {
  const reconnect = {
    retryStrategy: (times: number) => Math.min(times * 100, 1000),
    connectTimeout: 2000,
  };
  // A producer must fail at once when Redis is away: the relay publishes again.
  const producer = {
    ...reconnect,
    ...addressOf(url),
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    commandTimeout: 1000,
  };
  const consumer = { ...reconnect, ...addressOf(url), maxRetriesPerRequest: null };
  return {
    kind: 'redis',
    check: () => refuseEviction(url),
    queue: (name) => {
      const queue = new SmallJobQueue(name, {
        connection: producer,
        defaultJobOptions: jobOptions,
      });
      return jobQueue(queue, {
        mend: () => forget(url, name),
        // Whatever stands there by now is not looked into.
        waits: async (jobId) =>
          (await (await queue.backend.client).hexists(queue.toKey(jobId), 'name')) > 0,
      });
    },
    worker: (name, process, options) =>
      jobWorker(
        new SmallJobWorker<JobData>(name, processJob(process), {
          connection: consumer,
          ...workerOptions,
          ...options,
        }),
      ),
    reachable: () =>
      withClient(url, async (client) => (await client.ping()) === 'PONG').catch(() => false),
    close: async () => undefined,
  };
}

/** Removes a queue whole: keys of a wrong type, a pause, and the jobs on it. */
function forget(url: string, name: string): Promise<void> {
  return withClient(url, async (client) => {
    let cursor = '0';
    do {
      const [next, keys] = await client.scan(cursor, 'MATCH', `bull:${name}:*`, 'COUNT', 1000);
      if (keys.length > 0) await client.unlink(...keys);
      cursor = next;
    } while (cursor !== '0');
  });
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
  const once = {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    connectTimeout: 800,
    commandTimeout: 800,
    retryStrategy: () => null,
  };
  const { url: address, ...socket } = addressOf(url);
  const client = address ? new Redis(address, once) : new Redis({ ...socket, ...once });
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
