import type { MessageKind, MessagePayloads } from '@floy/contracts';
import type { Database } from '@floy/database/database';
import { endLease, lookAtLease, revokeLeases, takeLease, type Lease } from '@floy/database/leases';
import { LeaseLostError } from '@floy/domain';
import type { LongHandler, Work } from './handlers.js';
import type { LeaseKeeper } from './lease-keeper.js';
import {
  countError,
  finishMessage,
  lockMessage,
  maxClaims,
  reasonOf,
  type MessageRow,
} from './message-row.js';
import { isOutage } from './outage.js';

const outageRetryMs = 300;
/** How soon work on a subject that other work holds looks again. */
const busyMs = 300;

/**
 * Carries out a long message: takes the lease of its subject, works outside of any transaction, and
 * writes the result with the end of the lease and `done_at` in one. Whatever happens in between, the
 * message comes back until its work has an end. Throws errors of the work, once they are counted.
 */
export async function doLongWork<K extends MessageKind>(
  deps: { database: Database; keeper: LeaseKeeper },
  handler: LongHandler<K>,
  message: { id: string; kind: K },
  stopping: AbortSignal,
): Promise<void> {
  const { database, keeper } = deps;
  const claimedAt = performance.now();
  const claim = await claimWork(deps, handler, message);
  if (!claim) return;
  // Claimed while this process began to stop: nobody would abort it any more.
  if (stopping.aborted) return giveBack(database, claim);
  const held = keeper.hold(claim.lease, claimedAt);
  const work = createWork(database, claim, held);
  const payload = claim.message.payload as MessagePayloads[K];
  try {
    await handler.run(work, payload);
    if (!work.finished()) throw new Error('the handler ended without finishing its work');
  } catch (error) {
    held.letGo();
    if (work.finished()) throw error;
    if (held.signal.aborted || error instanceof LeaseLostError || isOutage(error))
      return await giveBack(database, claim);
    await fail(database, handler, claim, error);
    throw error;
  } finally {
    held.letGo();
  }
}

interface Claim {
  message: MessageRow;
  lease: Lease;
}

/** Locks in order: the message, the roots that `begin` locks, the lease. */
async function claimWork<K extends MessageKind>(
  { database, keeper }: { database: Database; keeper: LeaseKeeper },
  handler: LongHandler<K>,
  { id: messageId, kind }: { id: string; kind: K },
): Promise<Claim | null> {
  const mayTakeOver = keeper.mayTakeOver();
  try {
    return await database.transaction(async (tx) => {
      const message = await lockMessage(tx, messageId, kind);
      if (!message) return null;
      const payload = message.payload as MessagePayloads[K];
      const { subject } = message;
      if (message.claims >= maxClaims) {
        // The last claim may be at work yet: then the end is not ours to write.
        const last = await lookAtLease(tx, subject);
        if (last.held && (last.leftMs > 0 || !mayTakeOver))
          throw new HeldByAnother(Math.max(last.leftMs, busyMs));
        await handler.dead(tx, payload, `given up after it was begun ${message.claims} times`);
        await revokeLeases(tx, [subject]);
        finishMessage(tx, messageId);
        return null;
      }
      if (!(await handler.begin(tx, payload))) {
        finishMessage(tx, messageId);
        return null;
      }
      const attempt = await takeLease(tx, subject, keeper.holder, mayTakeOver);
      // Looked at again when the lease would have run out; a copy that comes then finds it renewed.
      await tx.execute(
        `UPDATE messages SET claims = claims + 1,
           publish_at = (SELECT expires_at FROM leases WHERE subject = ?) + interval '100 milliseconds' WHERE id = ?`,
        [subject, messageId],
      );
      if (!attempt.taken) {
        // A copy of what is in work comes back when the lease would have run out; other work on
        // the same subject when it may have been freed.
        const own = message.claims > 0;
        throw new HeldByAnother(
          own ? attempt.retryAfterMs : Math.min(attempt.retryAfterMs, busyMs),
        );
      }
      return { message: { ...message, claims: message.claims + 1 }, lease: attempt.lease };
    });
  } catch (error) {
    if (!(error instanceof HeldByAnother)) throw error;
    await database.transaction(async (tx) => {
      await tx.execute(
        'UPDATE messages SET publish_at = clock_timestamp() + make_interval(secs => ?) WHERE id = ? AND done_at IS NULL',
        [(error.retryAfterMs + 50) / 1000, messageId],
      );
    });
    return null;
  }
}

/** Rolls back what `begin` wrote: somebody else is at work. */
class HeldByAnother extends Error {
  constructor(readonly retryAfterMs: number) {
    super('the lease is held by another');
  }
}

function createWork(
  database: Database,
  { message, lease }: Claim,
  held: ReturnType<LeaseKeeper['hold']>,
): Work & { finished(): boolean } {
  let finished = false;
  const work: Work & { finished(): boolean } = {
    lease,
    claims: message.claims,
    signal: held.signal,
    database,
    finished: () => finished,
    assertHeld() {
      held.signal.throwIfAborted();
      if (!held.isFresh())
        throw new LeaseLostError(`The lease of ${lease.subject} could not be renewed in time`);
    },
    async throughOutages(attempt) {
      for (;;) {
        held.signal.throwIfAborted();
        try {
          return await attempt();
        } catch (error) {
          if (!isOutage(error)) throw error;
          await new Promise((resolve) => setTimeout(resolve, outageRetryMs));
        }
      }
    },
    async finish(write) {
      await work.throughOutages(() =>
        database.transaction(async (tx) => {
          const row = await tx.row<{ done_at: Date | null }>(
            'SELECT done_at FROM messages WHERE id = ? FOR UPDATE',
            [message.id],
          );
          // An answer lost on the way back from the commit: the result is written already.
          if (!row || row.done_at) return;
          await write(tx);
          if (!(await endLease(tx, lease))) {
            throw new LeaseLostError(
              `The result for ${lease.subject} came too late: another has taken over`,
            );
          }
          finishMessage(tx, message.id);
        }),
      );
      finished = true;
      held.letGo();
    },
  };
  return work;
}

/** Ends the lease early and takes the claim back, so that another may go on at once. */
async function giveBack(database: Database, { message, lease }: Claim): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.execute('SELECT 1 FROM messages WHERE id = ? FOR UPDATE', [message.id]);
    if (!(await endLease(tx, lease))) return;
    await tx.execute(
      'UPDATE messages SET claims = claims - 1, publish_at = clock_timestamp() WHERE id = ? AND done_at IS NULL',
      [message.id],
    );
  });
}

/** Counts an error of the work; where the lease is another's by now, it is not ours to count. */
async function fail<K extends MessageKind>(
  database: Database,
  handler: LongHandler<K>,
  { message, lease }: Claim,
  error: unknown,
): Promise<void> {
  await database.transaction(async (tx) => {
    const current = await lockMessage(tx, message.id, message.kind);
    if (!current) return;
    const { epoch, held } = await lookAtLease(tx, lease.subject);
    if (!held || epoch !== lease.epoch) return;
    const dead = await countError(tx, current, error);
    if (dead) await handler.dead(tx, message.payload as MessagePayloads[K], reasonOf(error));
    await endLease(tx, lease);
  });
}
