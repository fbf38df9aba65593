import { CouldNotTellError, messageOf } from '@floy/domain';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectionPool } from '../ssh/connection-pool.js';
import type { SshClient } from '../ssh/ssh-client.js';
import type { HostReach } from './host-work.js';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;

/**
 * Uses a connection, and again on a new one when it could not be told what happened, up to
 * `retryCount` times with growing pauses. So `use` has to be safe to repeat.
 */
export async function withHost<T>(
  pool: ConnectionPool,
  reach: HostReach & { log?(line: string): void },
  use: (client: SshClient) => Promise<T>,
): Promise<T> {
  const { signal } = reach;
  for (let tries = 0; ; tries += 1) {
    signal?.throwIfAborted();
    try {
      return await pool.use(reach, use);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof CouldNotTellError) || tries >= reach.retryCount) throw error;
      reach.log?.(`${messageOf(error)}; trying again`);
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries);
      // Many hosts that broke at once are not asked again at once.
      await delay(pause * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
    }
  }
}
