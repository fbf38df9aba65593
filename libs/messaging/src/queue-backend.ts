import type { QueueBackend } from './job-queue.js';
import { createPostgresQueueBackend } from './postgres-queue.js';
import { createRedisBackend } from './redis-queue.js';

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
