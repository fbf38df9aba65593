import type { MessageKind, MessagePayloads } from '@floy/contracts';
import type { Database } from '@floy/database/database';
import type { WorkDeps } from './claim-work.js';
import type { OnceHandler, ShortHandler } from './handlers.js';
import {
  countError,
  finishMessage,
  lockMessage,
  maxClaims,
  putOff,
  reasonOf,
  type MessageRow,
} from './message-row.js';
import { isOutage } from './outages.js';

/**
 * Carries out a short message: its effect, what follows and `done_at` are one transaction. Throws
 * only what kept it from writing how it ended.
 */
export async function doShortWork<K extends MessageKind>(
  { database, keeper, report }: WorkDeps,
  handler: ShortHandler<K>,
  message: { id: string; kind: K },
  redelivered: boolean,
): Promise<void> {
  const { id: messageId, kind } = message;
  const since = performance.now();
  // A job that the queue hands out again may have killed its worker: such a message is counted.
  if (redelivered) await raiseClaims(database, message);
  let taken: MessageRow | undefined;
  const took = (row: MessageRow): void => {
    // A transaction that met another one runs again.
    if (!taken) report.took(row);
    taken = row;
  };
  try {
    const end = await database.transaction(async (tx) => {
      const row = await lockMessage(tx, messageId, kind);
      if (!row) return undefined;
      took(row);
      const payload = row.payload as MessagePayloads[K];
      if (row.claims >= maxClaims) {
        const reason = `given up after it was begun ${row.claims} times`;
        await handler.dead(tx, payload, reason);
        finishMessage(tx, messageId);
        return { outcome: 'dead' as const, error: new Error(reason) };
      }
      const answer = await handler.handle(tx, payload);
      if ('later' in answer) {
        await putOff(tx, messageId, answer.later);
        return { outcome: 'later' as const };
      }
      finishMessage(tx, messageId);
      return { outcome: 'done' as const };
    });
    if (end) report.ended(end.outcome, end.error);
  } catch (error) {
    if (isOutage(error, keeper, since)) throw error;
    const dead = await database.transaction(async (tx) => {
      const row = await lockMessage(tx, messageId, kind);
      if (!row) return false;
      const isLast = await countError(tx, row, error);
      if (isLast) await handler.dead(tx, row.payload as MessagePayloads[K], reasonOf(error));
      return isLast;
    });
    report.ended(dead ? 'dead' : 'error', error);
  }
}

async function raiseClaims(
  database: Database,
  { id, kind }: { id: string; kind: MessageKind },
): Promise<void> {
  await database.transaction(async (tx) => {
    const row = await lockMessage(tx, id, kind);
    if (!row) return;
    // As often as it was published again at most: that is written here, while a queue's word that it
    // has begun a job before may be anybody's.
    await tx.execute(
      'UPDATE messages SET claims = claims + 1 WHERE id = ? AND claims < publishes',
      [id],
    );
  });
}

/** Carries out a message that is done when it begins. Throws what kept it from beginning. */
export async function doOnce<K extends MessageKind>(
  { database, report }: WorkDeps,
  handler: OnceHandler<K>,
  { id, kind }: { id: string; kind: K },
  signal: AbortSignal,
): Promise<void> {
  const row = await database.transaction(async (tx) => {
    const locked = await lockMessage(tx, id, kind);
    if (locked) finishMessage(tx, id);
    return locked;
  });
  if (!row) return;
  report.took(row);
  try {
    await handler.run(row.payload as MessagePayloads[K], signal);
    report.ended('done');
  } catch (error) {
    report.ended('error', error);
  }
}
