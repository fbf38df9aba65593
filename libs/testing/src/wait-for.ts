import { setTimeout as delay } from 'node:timers/promises';

/** How long to wait and how often to look. Milliseconds. */
export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
}

/**
 * Looks again and again until `probe` answers something truthy, and answers that. A probe that
 * throws counts as "not yet".
 *
 * @param what said in the error: `waitFor('the deployment to end', …)`
 * @throws Error with what was waited for, for how long, and the last answer or error
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  { timeoutMs = 15_000, everyMs = 20 }: WaitOptions = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const began = performance.now();
  // Made here, so that its stack shows the test and not the timer.
  const failure = new Error(`Waited in vain for ${what}`);
  for (;;) {
    let last: string;
    let cause: unknown;
    try {
      const answer = await probe();
      if (answer) return answer as NonNullable<Exclude<T, false>>;
      last = `the last answer was ${show(answer)}`;
    } catch (error) {
      last = `the last look failed: ${error instanceof Error ? error.message : String(error)}`;
      cause = error;
    }
    const passed = performance.now() - began;
    if (passed >= timeoutMs) {
      failure.message = `Waited ${(passed / 1000).toFixed(1)} s in vain for ${what}; ${last}`;
      failure.cause = cause;
      throw failure;
    }
    await delay(everyMs);
  }
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
