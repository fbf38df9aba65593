import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { startPostgres, type RunningPostgres } from '@floy/local-servers/postgres';
import { runFolder } from './test-run.js';

/**
 * Starts a Postgres of the test file's own, for tests that kill and restart it: always the embedded
 * one. Stop it in `afterAll`. Everything else shares the server behind `createTestDatabase`.
 */
export function startOwnPostgres(): Promise<RunningPostgres> {
  const folder = join(runFolder(), `postgres-${randomBytes(6).toString('hex')}`);
  return startPostgres({ folder, durable: false });
}
