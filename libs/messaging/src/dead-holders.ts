import type { Publisher } from '@floy/database/after-commit';
import type { Database } from '@floy/database/database';
import { expireLeasesOf, type UnlockedHolder } from '@floy/database/holders';
import { leaseMs } from '@floy/database/leases';

/** How long a holder's session lock stays free until it is dead: it may be connecting anew. */
export const deadAfterMs = 1000;

export interface DeadHolders {
  /** Takes what one look found, and answers which of these holders are dead. */
  judge(unlocked: readonly UnlockedHolder[]): UnlockedHolder[];
  /** Looks were missed: what was seen before says nothing any more. */
  forget(): void;
  /** How soon the next look can decide; undefined where nobody is suspected. Milliseconds. */
  nextLookMs(): number | undefined;
}

/**
 * Tells who is dead from looks that follow each other: the lock free in each of them, over
 * `deadAfterMs` by Postgres' clock, nothing renewed in between, and Postgres up for so long that
 * everybody had the time to connect again.
 */
export function createDeadHolders(): DeadHolders {
  const suspects = new Map<string, { readonly expiresAt: string; readonly since: number }>();
  let nextLookMs: number | undefined;
  return {
    judge(unlocked) {
      const found = new Set(unlocked.map(({ holder }) => holder));
      for (const holder of suspects.keys()) if (!found.has(holder)) suspects.delete(holder);
      const dead: UnlockedHolder[] = [];
      nextLookMs = undefined;
      for (const each of unlocked) {
        const { holder, expiresAt, seenAt } = each;
        const known = suspects.get(holder);
        const since = known?.expiresAt === expiresAt ? known.since : seenAt;
        suspects.set(holder, { expiresAt, since });
        const leftMs = Math.max(since + deadAfterMs - seenAt, leaseMs - each.upMs);
        if (leftMs <= 0) dead.push(each);
        else nextLookMs = Math.min(nextLookMs ?? Infinity, leftMs);
      }
      return dead;
    },
    forget: () => suspects.clear(),
    nextLookMs: () => nextLookMs,
  };
}

/** Lets the leases of a dead holder run out, and hands its work to others at once. */
export async function expireDeadHolder(
  { database, publisher }: { database: Database; publisher: Publisher },
  dead: UnlockedHolder,
): Promise<readonly string[]> {
  const { subjects, messages } = await database.transaction((tx) => expireLeasesOf(tx, dead));
  // Where this fails the relay finds them: they are due.
  if (messages.length > 0) await publisher.publish([...messages]).catch(() => undefined);
  return subjects;
}
