/** A beat this late says that this process, Postgres or the way there stood still. Milliseconds. */
export const lateMs = 2000;

export interface Punctuality {
  /** A beat was answered. */
  answered(): void;
  /** The connection broke, or a beat was not answered. */
  broke(): void;
  /** For how long every beat was answered in time. Milliseconds; 0 while one is overdue. */
  punctualMs(): number;
  /** Whether a beat was late since a time of `performance.now()`, the one under way included. */
  lateSince(time: number): boolean;
}

/** Keeps account of beats that come every few hundred milliseconds, by a monotonic clock. */
export function createPunctuality(now: () => number = () => performance.now()): Punctuality {
  let last = -Infinity;
  let punctualSince = Infinity;
  let lateAt = -Infinity;
  const isOverdue = () => now() - last > lateMs;
  return {
    answered() {
      if (isOverdue()) {
        lateAt = now();
        punctualSince = now();
      }
      last = now();
    },
    broke() {
      last = -Infinity;
    },
    punctualMs: () => (isOverdue() ? 0 : now() - punctualSince),
    lateSince: (time) => isOverdue() || lateAt >= time,
  };
}
