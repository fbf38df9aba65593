import { createRedactor, type Redactor } from './redaction.js';

/** Redactors by the values that they mask. */
export interface SharedRedactors {
  /** The redactor of exactly these values. `release` has to be called once it is no longer used. */
  hold(values: readonly string[]): { readonly redactor: Redactor; release(): void };
}

/**
 * Hands one redactor to everybody who masks the same values at the same time: the forms of a private
 * key and their index take milliseconds to make, which a rollout to hundreds of hosts would spend
 * for each of them.
 */
export function createSharedRedactors(): SharedRedactors {
  const held = new Map<string, { readonly redactor: Redactor; holders: number }>();
  return {
    hold(values) {
      const key = JSON.stringify([...new Set(values)].sort());
      let one = held.get(key);
      if (one === undefined) {
        const redactor = createRedactor();
        redactor.add(values);
        one = { redactor, holders: 0 };
        held.set(key, one);
      }
      const { redactor } = one;
      one.holders += 1;
      let released = false;
      const release = (): void => {
        const last = held.get(key);
        if (released || last === undefined) return;
        released = true;
        last.holders -= 1;
        if (last.holders === 0) held.delete(key);
      };
      return { redactor, release };
    },
  };
}
