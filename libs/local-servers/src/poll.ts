import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks `probe` again and again, starting at once, until it answers something else than undefined.
 * Answers undefined when `timeoutMs` have passed without that, and throws when the signal aborts.
 */
export async function poll<T>(
  timeoutMs: number,
  probe: () => Promise<T | undefined> | T | undefined,
  { everyMs = 20, signal }: { everyMs?: number; signal?: AbortSignal | undefined } = {},
): Promise<T | undefined> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined) return answer;
    if (performance.now() >= deadline) return undefined;
    await delay(everyMs, undefined, { signal });
  }
}
