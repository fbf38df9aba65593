import type { MessageKind, MessagePayloads } from '@floy/contracts';
import type { Transaction } from '@floy/database/transaction';
import { FloyError, messageOf } from '@floy/domain';

export interface MessageRow {
  id: string;
  kind: MessageKind;
  /** The id that it is about. */
  subject: string;
  payload: MessagePayloads[MessageKind];
  claims: number;
  errors: number;
}

/** A message that was begun this often, or threw this often, is dead (law 2). */
export const maxClaims = 10;
export const maxErrors = 5;

/**
 * The message, locked; undefined where it is done, another copy is at it, or there is none of this
 * kind (a forged job): nothing to do then.
 */
export function lockMessage(
  tx: Transaction,
  id: string,
  kind: MessageKind,
): Promise<MessageRow | undefined> {
  return tx.row<MessageRow>(
    `SELECT id, kind, subject, payload, claims, errors FROM messages
     WHERE id = ? AND kind = ? AND done_at IS NULL FOR UPDATE SKIP LOCKED`,
    [id, kind],
  );
}

/** What users are told of an error: its message where it is Floy's own, else where to look. */
export function reasonOf(error: unknown): string {
  return error instanceof FloyError ? error.message : 'an internal error, which the log describes';
}

/** Ends a message: its work is done, or will never be. */
export function finishMessage(tx: Transaction, id: string): void {
  tx.atEnd('UPDATE messages SET done_at = clock_timestamp() WHERE id = ?', [id]);
}

/** Counts a thrown error and lets the message come back a little later; true where it is dead now. */
export async function countError(
  tx: Transaction,
  message: MessageRow,
  error: unknown,
): Promise<boolean> {
  const errors = message.errors + 1;
  const dead = errors >= maxErrors;
  await tx.execute(
    `UPDATE messages SET errors = ?, last_error = ?,
       publish_at = clock_timestamp() + make_interval(secs => ?),
       done_at = CASE WHEN ? THEN clock_timestamp() END WHERE id = ?`,
    [errors, messageOf(error).slice(0, 2000), Math.min(0.2 * 3 ** errors, 10), dead, message.id],
  );
  return dead;
}
