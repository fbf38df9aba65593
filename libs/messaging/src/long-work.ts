import type { MessageKind, MessagePayloads } from '@floy/contracts';
import { endLease, lookAtLease } from '@floy/database/leases';
import { LeaseLostError } from '@floy/domain';
import { claimWork, heldForMs, type WorkDeps } from './claim-work.js';
import type { LongHandler } from './handlers.js';
import type { HeldLease } from './lease-keeper.js';
import { countError, lockMessage, putOffForOutage, reasonOf } from './message-row.js';
import { isOutage, throughOutages } from './outages.js';
import { createWork, type Claim } from './work.js';

/**
 * Carries out a long message: takes the lease of its subject, works outside of any transaction, and
 * writes the result with the end of the lease and `done_at` in one. Whatever happens in between,
 * the message comes back until its work has an end. Throws only what kept it from writing how it
 * ended.
 */
export async function doLongWork<K extends MessageKind>(
  deps: WorkDeps,
  handler: LongHandler<K>,
  message: { id: string; kind: K },
  stopping: AbortSignal,
): Promise<void> {
  const { keeper, report } = deps;
  const claimedAt = performance.now();
  let claimed: Claim | undefined;
  try {
    claimed = await claimWork(deps, handler, message);
  } catch (error) {
    if (isOutage(error, keeper, claimedAt)) throw error;
    // An error of `begin`, which would come back for ever.
    return fail(deps, handler, message, undefined, error);
  }
  if (!claimed) return;
  const claim = claimed;
  // Claimed while this process began to stop: nobody would abort it any more.
  if (stopping.aborted) return reportGiven(deps, await giveBack(deps, claim), stopping.reason);
  const held = keeper.hold(claim.lease, claimedAt);
  const work = createWork(deps, claim, held, report);
  try {
    await handler.run(work, claim.message.payload as MessagePayloads[K]);
    const outcome = work.outcome();
    if (!outcome) throw new Error('the handler ended without finishing its work');
    report.ended(outcome);
  } catch (error) {
    const outcome = work.outcome();
    // Its end is written, so that there is nothing to count.
    if (outcome) return report.ended(outcome, error);
    const isLost = held.signal.aborted || error instanceof LeaseLostError;
    if (!isLost && isOutage(error, keeper, claimedAt)) {
      report.outage(error);
      const give = () => giveBack(deps, claim, { outage: true });
      return reportGiven(deps, await throughItsOutages(deps, held, give), error);
    }
    if (isLost) return reportGiven(deps, await giveBackOnce(deps, claim, claimedAt), error);
    await throughItsOutages(deps, held, () => fail(deps, handler, message, claim, error));
  } finally {
    held.letGo();
  }
}

/**
 * Ends the lease early and takes the claim back, so that another may go on: at once, or after a
 * pause where an outage was the reason. False where the lease is another's. What cannot be written
 * comes back when the lease runs out.
 */
async function giveBack(
  { database }: WorkDeps,
  { message, lease }: Claim,
  { outage } = { outage: false },
): Promise<boolean> {
  return database.transaction(async (tx) => {
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
}

/**
 * Gives back work whose lease may be another's by now. An outage keeps nobody here: the claim comes
 * back when the lease runs out, and until then nobody would hear that this work is over.
 */
async function giveBackOnce(deps: WorkDeps, claim: Claim, claimedAt: number): Promise<boolean> {
  try {
    return await giveBack(deps, claim);
  } catch (error) {
    if (!isOutage(error, deps.keeper, claimedAt)) throw error;
    deps.report.outage(error);
    return false;
  }
}

/**
 * Writes how work ended as soon as Postgres is there, and keeps the lease until then: a claim that
 * an outage has cost would count, and the lease of a living worker would run out.
 */
async function throughItsOutages<T>(
  { keeper }: WorkDeps,
  { signal }: HeldLease,
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await throughOutages(write, { keeper, signal, onOutage: () => undefined });
  } catch (error) {
    if (!signal.aborted) throw error;
    // Lost, or this process stops: nobody waits any longer.
    return write();
  }
}

function reportGiven({ report }: WorkDeps, given: boolean, reason: unknown): void {
  report.ended(given ? 'given-back' : 'lost', reason);
}

/** Counts an error of the work; where the lease is another's by now, it is not ours to count. */
async function fail<K extends MessageKind>(
  { database, keeper, report }: WorkDeps,
  handler: LongHandler<K>,
  { id, kind }: { id: string; kind: K },
  claim: Claim | undefined,
  error: unknown,
): Promise<void> {
  const taker = keeper.taker();
  const outcome = await database.transaction(async (tx) => {
    const current = await lockMessage(tx, id, kind);
    if (!current) return 'error';
    if (!claim) report.took(current);
    const { subject } = current;
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
