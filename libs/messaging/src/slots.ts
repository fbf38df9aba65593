/** The right of so many to be at work at once. */
export interface Slots {
  /** Waits for a free slot; who came first is served first. */
  take(): Promise<void>;
  /** Takes a slot where one is free. */
  tryTake(): boolean;
  give(): void;
  /** Whether there was a moment without a free slot in the last so many milliseconds. */
  wereFull(withinMs: number): boolean;
}

export function createSlots(count: number): Slots {
  const waiting: (() => void)[] = [];
  let free = count;
  let fullAt = -Infinity;
  const tryTake = (): boolean => {
    if (free === 0) return false;
    free -= 1;
    if (free === 0) fullAt = performance.now();
    return true;
  };
  return {
    tryTake,
    take: () => (tryTake() ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    give() {
      const next = waiting.shift();
      if (next) return next();
      if (free === 0) fullAt = performance.now();
      free += 1;
    },
    wereFull: (withinMs) => free === 0 || performance.now() - fullAt < withinMs,
  };
}
