import { VerdictError } from '@floy/domain';
import {
  type ConnectionPool,
  type ConnectionPoolOptions,
  createConnectionPool,
} from '../ssh/connection-pool.js';

/** What work on hosts shares in one process. */
export interface Hosts {
  readonly pool: ConnectionPool;
  /** Looks into an artifact once, however many hosts it goes to; a refusal is remembered. */
  checkOnce(sha256: string, check: () => Promise<void>): Promise<void>;
  close(): void;
}

const REMEMBERED = 200;

/** Makes it, without any connection yet. */
export function createHosts(options: ConnectionPoolOptions = {}): Hosts {
  const pool = createConnectionPool(options);
  const checks = new Map<string, Promise<void>>();
  return {
    pool,
    checkOnce(sha256, check) {
      const known = checks.get(sha256);
      if (known !== undefined) return known;
      const oldest = checks.keys().next();
      if (checks.size >= REMEMBERED && !oldest.done) checks.delete(oldest.value);
      const checking = check();
      checks.set(sha256, checking);
      checking.catch((error: unknown) => {
        if (!(error instanceof VerdictError)) checks.delete(sha256);
      });
      return checking;
    },
    close: () => pool.close(),
  };
}
