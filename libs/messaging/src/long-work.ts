import { subjectOf, type MessageKind, type MessagePayloads } from '@floy/contracts';
import type { Database } from '@floy/database/database';
import { isHolderLocked } from '@floy/database/holders';
import {
  endLease,
  leaseMs,
  lookAtLease,
  revokeLeases,
  takeLease,
  type Taker,
} from '@floy/database/leases';
import type { Transaction } from '@floy/database/transaction';
import { LeaseLostError } from '@floy/domain';
import type { LongHandler } from './handlers.js';
import type { LeaseKeeper } from './lease-keeper.js';
import {
  countError,
  finishMessage,
  lockMessage,
  maxClaims,
  putOffForOutage,
  reasonOf,
} from './message-row.js';
import type { WorkReport } from './observer.js';
import { isOutage } from './outages.js';
import { createWork, type Claim } from './work.js';

/** How soon work on a subject that other work holds looks again. */
const busyMs = 300;

interface Deps {
  database: Database;
  keeper: LeaseKeeper;
  report: WorkReport;
}

/**
 * Carries out a long message: takes the lease of its subject, works outside of any transaction, and
 * writes the result with the end of the lease and `done_at` in one. Whatever happens in between, the
 * message comes back until its work has an end. Throws only what kept it from writing how it ended.
 */
export async function doLongWork<K extends MessageKind>(
  deps: Deps,
  handler: LongHandler<K>,
  message: { id: string; kind: K },
  stopping: AbortSignal,
): Promise<void> {
  const { database, keeper, report } = deps;
  const claimedAt = performance.now();
  let claim: Claim | undefined;
  try {
    claim = await claimWork(deps, handler, message);
  } catch (error) {
    if (isOutage(error, keeper, claimedAt)) throw error;
    // An error of `begin`, which would come back for ever.
    return fail(deps, handler, message, undefined, error);
  }
  if (!claim) return;
  // Claimed while this process began to stop: nobody would abort it any more.
  if (stopping.aborted) return giveBack(deps, claim, stopping.reason);
  const held = keeper.hold(claim.lease, claimedAt);
  const work = createWork(deps, claim, held, report);
  try {
    await handler.run(work, claim.message.payload as MessagePayloads[K]);
    const outcome = work.outcome();
    if (!outcome) throw new Error('the handler ended without finishing its work');
    report.ended(outcome);
  } catch (error) {
    held.letGo();
    const outcome = work.outcome();
    // Its end is written, so that there is nothing to count.
    if (outcome) return report.ended(outcome, error);
    const isLost = held.signal.aborted || error instanceof LeaseLostError;
    if (isLost || isOutage(error, keeper, claimedAt))
      return await giveBack(deps, claim, error, { outage: !isLost });
    await fail(deps, handler, message, claim, error);
  } finally {
    held.letGo();
  }
}

/** Locks in order: the message, the roots that `begin` locks, the lease. */
async function claimWork<K extends MessageKind>(
  { database, keeper, report }: Deps,
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
      const subject = subjectOf(message.kind, message.payload);
      if (message.claims >= maxClaims) {
        // The last claim may be at work yet: then the end is not ours to write.
        const leftMs = await heldForMs(tx, subject, taker);
        if (leftMs > 0) throw new HeldByAnother(leftMs);
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
      const [attempt] = await Promise.all([
        takeLease(tx, subject, taker),
        // Looked at again when the lease would have run out; a copy that comes then finds it renewed.
        tx.execute(
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
    await database.transaction(async (tx) => {
      await tx.execute(
        'UPDATE messages SET publish_at = clock_timestamp() + make_interval(secs => ?) WHERE id = ? AND done_at IS NULL',
        [(error.retryAfterMs + 50) / 1000, messageId],
      );
    });
    return undefined;
  }
}

/** How long another may be at work on a subject yet; 0 where nobody is. Milliseconds. */
async function heldForMs(tx: Transaction, subject: string, taker: Taker): Promise<number> {
  const { held, leftMs } = await lookAtLease(tx, subject);
  return held && (leftMs > 0 || !taker.mayTakeOver) ? Math.max(leftMs, busyMs) : 0;
}

/** Rolls back what `begin` wrote: somebody else is at work. */
class HeldByAnother extends Error {
  constructor(readonly retryAfterMs: number) {
    super('the lease is held by another');
  }
}

/**
 * Ends the lease early and takes the claim back, so that another may go on: at once, or after a
 * pause where an outage was the reason. What cannot be written comes back when the lease runs out.
 */
async function giveBack(
  { database, report }: Deps,
  { message, lease }: Claim,
  reason: unknown,
  { outage } = { outage: false },
): Promise<void> {
  const given = await database.transaction(async (tx) => {
    await tx.execute('SELECT 1 FROM messages WHERE id = ? FOR UPDATE', [message.id]);
    if (!(await endLease(tx, lease))) return false;
    await tx.execute(
      `UPDATE messages SET claims = claims - 1, due_at = now.at, publish_at = now.at
       FROM (SELECT clock_timestamp() AS at) AS now WHERE id = ? AND done_at IS NULL`,
      [message.id],
    );
    if (outage) await putOffForOutage(tx, message.id);
    return true;
  });
  if (outage) report.outage(reason);
  report.ended(given ? 'given-back' : 'lost', reason);
}

/** Counts an error of the work; where the lease is another's by now, it is not ours to count. */
async function fail<K extends MessageKind>(
  { database, keeper, report }: Deps,
  handler: LongHandler<K>,
  { id, kind }: { id: string; kind: K },
  claim: Claim | undefined,
  error: unknown,
): Promise<void> {
  const taker = keeper.taker();
  const outcome = await database.transaction(async (tx) => {
    const current = await lockMessage(tx, id, kind);
    if (!current) return 'error';
    const subject = subjectOf(current.kind, current.payload);
    if (claim) {
      const last = await lookAtLease(tx, subject);
      if (!last.held || last.epoch !== claim.lease.epoch) return 'lost';
    } else if ((await heldForMs(tx, subject, taker)) > 0) return 'error';
    const dead = await countError(tx, current, error);
    if (dead) await handler.dead(tx, current.payload as MessagePayloads[K], reasonOf(error));
    if (claim) await endLease(tx, claim.lease);
    return dead ? 'dead' : 'error';
  });
  report.ended(outcome, error);
}
