import { CouldNotTellError, messageOf } from '@floy/domain';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConnectionPool } from '../ssh/connection-pool.js';
import type { SshClient } from '../ssh/ssh-client.js';
import type { HostReach } from './host-work.js';
import type { TellUnreachable } from './unreachable.js';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;

/** As long as a reboot, or an upgrade of the host's sshd, keeps it away. */
export const CONNECT_MS = 40_000;

/**
 * Uses a connection, and again on a new one when it could not be told what happened, with growing
 * pauses: up to `retryCount` times after a connection that was made, and for `connectMs` where none
 * can be made. So `use` has to be safe to repeat.
 */
export async function withHost<T>(
  pool: ConnectionPool,
  reach: HostReach & { log?(line: string): void; unreachable?: TellUnreachable },
  use: (client: SshClient) => Promise<T>,
): Promise<T> {
  const { signal } = reach;
  let broken = 0;
  let pauses = 0;
  let awaySince: number | undefined;
  let told = false;
  for (;;) {
    signal?.throwIfAborted();
    let began = performance.now();
    let connected = false;
    const connecting = (): void => void (began = performance.now());
    try {
      return await pool.use({ ...reach, connecting }, (client) => {
        connected = true;
        if (told) reach.unreachable?.(undefined);
        told = false;
        return use(client);
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof CouldNotTellError)) throw error;
      let until: Date | undefined;
      if (connected) {
        if (broken >= reach.retryCount) throw error;
        broken += 1;
        if (awaySince !== undefined) pauses = 0;
        awaySince = undefined;
      } else {
        awaySince ??= began;
        const leftMs = reach.connectMs - (performance.now() - awaySince);
        if (leftMs <= 0) throw error;
        until = new Date(Date.now() + leftMs);
        reach.unreachable?.({ reason: messageOf(error), until });
        told = true;
      }
      const limit = until === undefined ? '' : ` until ${until.toISOString()}`;
      reach.log?.(`${messageOf(error)}; trying again${limit}`);
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** pauses);
      pauses += 1;
      // Many hosts that broke at once are not asked again at once.
      await delay(pause * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
    }
  }
}
