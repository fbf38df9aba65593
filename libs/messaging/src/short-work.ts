import type { MessageKind, MessagePayloads } from '@floy/contracts';
import type { Database } from '@floy/database/database';
import type { OnceHandler, ShortHandler } from './handlers.js';
import { countError, finishMessage, lockMessage, maxClaims, reasonOf } from './message-row.js';
import { isOutage } from './outage.js';

/** Carries out a short message: its effect, what follows and `done_at` are one transaction. */
export async function doShortWork<K extends MessageKind>(
  database: Database,
  handler: ShortHandler<K>,
  message: { id: string; kind: K },
  redelivered: boolean,
): Promise<void> {
  const { id: messageId, kind } = message;
  // A job that the queue hands out again may have killed its worker: such a message is counted.
  if (redelivered) await raiseClaims(database, message);
  try {
    await database.transaction(async (tx) => {
      const row = await lockMessage(tx, messageId, kind);
      if (!row) return;
      const payload = row.payload as MessagePayloads[K];
      if (row.claims >= maxClaims) {
        await handler.dead(tx, payload, `given up after it was begun ${row.claims} times`);
        finishMessage(tx, messageId);
        return;
      }
      const outcome = await handler.handle(tx, payload);
      if ('later' in outcome) {
        await tx.execute('UPDATE messages SET publish_at = ?, publishes = 0 WHERE id = ?', [
          outcome.later,
          messageId,
        ]);
      } else {
        finishMessage(tx, messageId);
      }
    });
  } catch (error) {
    if (isOutage(error)) return;
    await database.transaction(async (tx) => {
      const row = await lockMessage(tx, messageId, kind);
      if (!row) return;
      const dead = await countError(tx, row, error);
      if (dead) await handler.dead(tx, row.payload as MessagePayloads[K], reasonOf(error));
    });
    throw error;
  }
}

async function raiseClaims(
  database: Database,
  { id, kind }: { id: string; kind: MessageKind },
): Promise<void> {
  await database.transaction(async (tx) => {
    const row = await lockMessage(tx, id, kind);
    if (row) await tx.execute('UPDATE messages SET claims = claims + 1 WHERE id = ?', [id]);
  });
}

/** Carries out a message that is done when it begins. */
export async function doOnce<K extends MessageKind>(
  database: Database,
  handler: OnceHandler<K>,
  { id, kind }: { id: string; kind: K },
  signal: AbortSignal,
): Promise<void> {
  const row = await database.transaction(async (tx) => {
    const locked = await lockMessage(tx, id, kind);
    if (locked) finishMessage(tx, id);
    return locked;
  });
  if (row) await handler.run(row.payload as MessagePayloads[K], signal);
}
