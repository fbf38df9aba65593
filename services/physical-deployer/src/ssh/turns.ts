/** Lets so many work at once; those that wait are taken from each group in turn. */
export interface Turns {
  /**
   * Waits for a turn. The answer gives it back; else it is given back by itself, see the options.
   * Rejects with the signal's reason.
   */
  take(group: string, signal?: AbortSignal): Promise<() => void>;
  /** How many wait. */
  waiting(): number;
}

export interface TurnsOptions {
  readonly atOnce: number;
  /** After each so many milliseconds a turn that has not ended may end by itself. */
  readonly lookMs: number;
  /** Then it does where this says so: it seems to wait, and its turn would be wasted. */
  readonly isSpare: () => boolean;
  /** And in any case after so many milliseconds. */
  readonly longestMs: number;
}

/** Makes it, with every turn free. */
export function createTurns({ atOnce, lookMs, isSpare, longestMs }: TurnsOptions): Turns {
  /** Who waits, by group; the group that is first in the map is next. */
  const groups = new Map<string, Set<() => void>>();
  let taken = 0;

  const begin = (): (() => void) => {
    taken += 1;
    let over = false;
    let passed = 0;
    const end = (): void => {
      if (over) return;
      over = true;
      clearInterval(timer);
      taken -= 1;
      next();
    };
    const timer = setInterval(() => {
      passed += lookMs;
      if (passed >= longestMs || isSpare()) end();
    }, lookMs);
    timer.unref();
    return end;
  };
  const next = (): void => {
    const [first] = groups;
    if (first === undefined || taken >= atOnce) return;
    const [group, waiting] = first;
    const [begun] = waiting;
    groups.delete(group);
    if (begun === undefined) return next();
    waiting.delete(begun);
    if (waiting.size > 0) groups.set(group, waiting);
    begun();
  };

  return {
    take(group, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      if (taken < atOnce) return Promise.resolve(begin());
      return new Promise((resolve, reject) => {
        const waiting = groups.get(group) ?? new Set();
        groups.set(group, waiting);
        const begun = (): void => {
          signal?.removeEventListener('abort', aborted);
          resolve(begin());
        };
        const aborted = (): void => {
          waiting.delete(begun);
          reject(signal?.reason);
        };
        waiting.add(begun);
        signal?.addEventListener('abort', aborted, { once: true });
      });
    },
    waiting: () => [...groups.values()].reduce((sum, { size }) => sum + size, 0),
  };
}
