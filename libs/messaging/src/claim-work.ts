import type { MessageKind, MessagePayloads } from '@floy/contracts';
import type { Database } from '@floy/database/database';
import { isHolderLocked } from '@floy/database/holders';
import { leaseMs, lookAtLease, revokeLeases, takeLease, type Taker } from '@floy/database/leases';
import { changesOf } from '@floy/database/statement';
import type { Transaction } from '@floy/database/transaction';
import type { LongHandler } from './handlers.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { finishMessage, lockMessage, maxClaims } from './message-row.js';
import type { WorkReport } from './observer.js';
import type { Claim } from './work.js';

/** How soon work on a subject that other work holds looks again. Milliseconds. */
const busyMs = 300;

/** What carrying out a message needs. */
export interface WorkDeps {
  readonly database: Database;
  readonly keeper: LeaseKeeper;
  readonly report: WorkReport;
}

/**
 * Takes up a long message; undefined where there is nothing to do, or not yet. Locks in order: the
 * message, the roots that `begin` locks, the lease. Throws what `begin` and `dead` throw.
 */
export async function claimWork<K extends MessageKind>(
  { database, keeper, report }: WorkDeps,
  handler: LongHandler<K>,
  { id: messageId, kind }: { id: string; kind: K },
): Promise<Claim | undefined> {
  const taker = keeper.taker();
  let takenFrom: { holder: string; lives: boolean } | undefined;
  let givenUp: string | undefined;
  try {
    const claim = await database.transaction(async (tx) => {
      [takenFrom, givenUp] = [undefined, undefined];
      const message = await lockMessage(tx, messageId, kind);
      if (!message) return undefined;
      const payload = message.payload as MessagePayloads[K];
      const { subject } = message;
      if (message.claims >= maxClaims) {
        // The last claim may be at work yet: then the end is not ours to write.
        const leftMs = await heldForMs(tx, subject, taker);
        if (leftMs > 0) throw new HeldByAnother(message, leftMs);
        givenUp = `given up after it was begun ${message.claims} times`;
        await handler.dead(tx, payload, givenUp);
        await revokeLeases(tx, [subject]);
        finishMessage(tx, messageId);
        return { message };
      }
      if (!(await handler.begin(tx, payload))) {
        finishMessage(tx, messageId);
        return { message };
      }
      const attempt = await takeLease(tx, subject, taker, [
        // Back when the lease would have run out; a copy that comes then finds it renewed.
        changesOf(
          `UPDATE messages SET claims = claims + 1, publish_at =
             clock_timestamp() + interval '${leaseMs + 100} milliseconds' WHERE id = ?`,
          [messageId],
        ),
      ]);
      if (!attempt.taken) {
        // A copy of what is in work comes back when the lease would have run out; other work on
        // the same subject when it may have been freed.
        const own = message.claims > 0;
        throw new HeldByAnother(
          message,
          own ? attempt.retryAfterMs : Math.min(attempt.retryAfterMs, busyMs),
        );
      }
      if (attempt.from !== undefined) {
        takenFrom = { holder: attempt.from, lives: await isHolderLocked(tx, attempt.from) };
      }
      return { message: { ...message, claims: message.claims + 1 }, lease: attempt.lease };
    });
    if (!claim) return undefined;
    report.took(claim.message);
    if (takenFrom) report.tookOver(takenFrom.holder, takenFrom.lives ? 'expired' : 'dead');
    if (claim.lease) return claim;
    if (givenUp) report.ended('dead', new Error(givenUp));
    else report.ended('done');
    return undefined;
  } catch (error) {
    if (!(error instanceof HeldByAnother)) throw error;
    // Whoever had it may have given it back meanwhile, and chosen when it comes.
    await database.transaction(async (tx) => {
      await tx.execute(
        `UPDATE messages SET publish_at = clock_timestamp() + make_interval(secs => ?)
         WHERE id = ? AND claims = ? AND done_at IS NULL`,
        [(error.retryAfterMs + 50) / 1000, messageId, error.seen.claims],
      );
    });
    return undefined;
  }
}

/** How long another may be at work on a subject yet; 0 where nobody is. Milliseconds. */
export async function heldForMs(tx: Transaction, subject: string, taker: Taker): Promise<number> {
  const { held, leftMs } = await lookAtLease(tx, subject);
  return held && (leftMs > 0 || !taker.mayTakeOver) ? Math.max(leftMs, busyMs) : 0;
}

/** Rolls back what `begin` wrote: somebody else is at work. */
class HeldByAnother extends Error {
  constructor(
    readonly seen: { readonly claims: number },
    readonly retryAfterMs: number,
  ) {
    super('the lease is held by another');
  }
}
