import type { Database } from '@floy/database/database';
import { endLease, lookAtLease, type Lease } from '@floy/database/leases';
import type { Transaction } from '@floy/database/transaction';
import { LeaseLostError } from '@floy/domain';
import type { Work } from './handlers.js';
import type { HeldLease, LeaseKeeper } from './lease-keeper.js';
import { finishMessage, putOff, type MessageRow } from './message-row.js';
import type { WorkReport } from './observer.js';
import { throughOutages } from './outages.js';

/** A message that this worker has taken up, with the right to act on its subject. */
export interface Claim {
  readonly message: MessageRow;
  readonly lease: Lease;
}

/** The work of a long handler. */
export interface OpenWork extends Work {
  /** How it ended; undefined until that is written. */
  outcome(): 'done' | 'later' | undefined;
}

export function createWork(
  { database, keeper }: { database: Database; keeper: LeaseKeeper },
  { message, lease }: Claim,
  held: HeldLease,
  report: WorkReport,
): OpenWork {
  let outcome: 'done' | 'later' | undefined;
  const late = () =>
    new LeaseLostError(`The result for ${lease.subject} came too late: another has taken over`);

  /** One transaction with the end of the lease; refused where the lease is another's. */
  async function end(how: 'done' | 'later', write: (tx: Transaction) => Promise<void>) {
    await work.throughOutages(() =>
      database.transaction(async (tx) => {
        const row = await tx.row<{ done_at: Date | null }>(
          'SELECT done_at FROM messages WHERE id = ? FOR UPDATE',
          [message.id],
        );
        if (!row) throw late();
        if (row.done_at) {
          const { epoch } = await lookAtLease(tx, lease.subject);
          if (epoch !== lease.epoch) throw late();
          // The answer was lost on the way back from the commit: the result is written already.
          return;
        }
        await write(tx);
        if (!(await endLease(tx, lease))) throw late();
      }),
    );
    outcome = how;
    held.letGo();
  }

  const work: OpenWork = {
    lease,
    message: report.message(),
    claims: message.claims,
    signal: held.signal,
    database,
    outcome: () => outcome,
    assertHeld() {
      held.signal.throwIfAborted();
      if (!held.isFresh())
        throw new LeaseLostError(`The lease of ${lease.subject} could not be renewed in time`);
    },
    throughOutages: (attempt) =>
      throughOutages(attempt, { keeper, signal: held.signal, onOutage: report.outage }),
    finish: (write) =>
      end('done', async (tx) => {
        await write(tx);
        finishMessage(tx, message.id);
      }),
    later: (at) => end('later', (tx) => putOff(tx, message.id, at)),
  };
  return work;
}
