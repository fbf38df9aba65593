import { redisSource, type TestRedis } from './redis-source.js';

export type { TestRedis } from './redis-source.js';

/** Starts a Redis of the test file's own; stop it in `afterAll`. */
export async function startTestRedis(): Promise<TestRedis> {
  const source = await redisSource();
  if (source === undefined) throw new Error('No Redis for tests: see needsRedis()');
  return source.start();
}
