import { setTimeout as delay } from 'node:timers/promises';
import { statementLimitMs } from '@floy/database/database';
import { SlowStatementError } from '@floy/database/outages';
import { UnavailableError } from '@floy/domain';
import type { LeaseKeeper } from './lease-keeper.js';

/**
 * Whether work that began at `since` (`performance.now()`) was interrupted by an outage of Postgres
 * or the queue, and not by an error of its own: an adapter said so, or a statement reached a limit
 * on its time while Postgres, the way there or this process stood still.
 */
export function isOutage(
  error: unknown,
  keeper: Pick<LeaseKeeper, 'lateSince'>,
  since: number,
): boolean {
  if (error instanceof SlowStatementError) {
    // A build has many statements, so only a beat that was late beside this one excuses it.
    return keeper.lateSince(Math.max(since, performance.now() - statementLimitMs));
  }
  return error instanceof UnavailableError;
}

/** Pauses while Postgres is away: growing, short enough to go on soon after. Milliseconds. */
const firstPauseMs = 300;
const longestPauseMs = 3000;

/**
 * Runs `attempt` again for as long as an outage interrupts it.
 *
 * @param signal ends it: throws its reason
 * @param onOutage told of the first interruption
 */
export async function throughOutages<T>(
  attempt: () => Promise<T>,
  {
    keeper,
    signal,
    onOutage,
  }: {
    keeper: Pick<LeaseKeeper, 'lateSince'>;
    signal: AbortSignal;
    onOutage: (error: unknown) => void;
  },
): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    signal.throwIfAborted();
    const since = performance.now();
    try {
      return await attempt();
    } catch (error) {
      if (!isOutage(error, keeper, since)) throw error;
      if (tries === 0) onOutage(error);
      const pauseMs = Math.min(firstPauseMs * 2 ** tries, longestPauseMs);
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}
