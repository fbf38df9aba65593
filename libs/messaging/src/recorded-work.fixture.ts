import type { WorkMessage, WorkObserver, WorkOutcome } from './observer.js';

/** Remembers what an observer is told, for tests. */
export function recordWork() {
  const told = {
    ended: [] as { message: WorkMessage; outcome: WorkOutcome; error?: unknown }[],
    outages: [] as string[],
    takeovers: [] as { from: string; because: string }[],
    died: [] as string[],
    waited: [] as number[],
  };
  const observer: WorkObserver = {
    took: (_, seconds) => void told.waited.push(seconds),
    ended: (message, { outcome, error }) => void told.ended.push({ message, outcome, error }),
    outage: (seenBy) => void told.outages.push(seenBy),
    tookOver: (_, from, because) => void told.takeovers.push({ from, because }),
    backlog: () => undefined,
    holderDied: (holder) => void told.died.push(holder),
  };
  return {
    observer,
    told,
    outcomes: () => told.ended.map(({ outcome }) => outcome),
    clear: () => Object.values(told).forEach((list) => list.splice(0)),
  };
}
