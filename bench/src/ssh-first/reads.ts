import { setTimeout as wait } from 'node:timers/promises';

/** What was read of the API while something else went on. */
export interface Reads {
  /** How long each took, whether it was answered or not. */
  readonly milliseconds: readonly number[];
  /** Why some were not answered. */
  readonly failures: readonly string[];
}

/** How long is waited between two reads of one reader. */
const EVERY_MS = 200;

/**
 * Reads again and again, as a page or a script that follows a deployment does, until `stop`. The
 * kinds of reads take turns, each with a reader of its own.
 */
export function keepReading(kinds: readonly (() => Promise<unknown>)[]): {
  stop(): Promise<Reads>;
} {
  const milliseconds: number[] = [];
  const failures: string[] = [];
  let stopped = false;
  const reader = async (read: () => Promise<unknown>): Promise<void> => {
    while (!stopped) {
      const began = performance.now();
      await read().catch((error: unknown) => failures.push(String(error)));
      milliseconds.push(performance.now() - began);
      await wait(EVERY_MS);
    }
  };
  const readers = Promise.all(kinds.map(reader));
  return {
    async stop() {
      stopped = true;
      await readers;
      return { milliseconds, failures };
    },
  };
}
