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
  /** Since it was due. Seconds. */
  waited: number;
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
    `SELECT id, kind, subject, payload, claims, errors,
            extract(epoch FROM clock_timestamp() - due_at)::float8 AS waited
     FROM messages WHERE id = ? AND kind = ? AND done_at IS NULL FOR UPDATE SKIP LOCKED`,
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

/** Has a message come back at a time that its work asked for: nobody has died of it until then. */
export async function putOff(tx: Transaction, id: string, at: Date): Promise<void> {
  await tx.execute(
    `UPDATE messages SET due_at = ?, publish_at = ?, publishes = 0, claims = 0, outages = 0
     WHERE id = ?`,
    [at, at, id],
  );
}

/**
 * Has a message come back that could not be worked on because Postgres or the queue was away:
 * nothing is counted against it, and each time in a row it comes back later.
 */
export async function putOffForOutage(tx: Transaction, id: string): Promise<void> {
  await tx.execute(
    `UPDATE messages SET outages = outages + 1, due_at = again.at, publish_at = again.at
     FROM (SELECT clock_timestamp() + make_interval(secs => least(0.3 * 2 ^ least(outages, 10), 30)) AS at
           FROM messages WHERE id = ?) AS again
     WHERE id = ? AND done_at IS NULL`,
    [id, id],
  );
}

/** Counts a thrown error; the message comes back a little later. True where it is dead now. */
export async function countError(
  tx: Transaction,
  message: Pick<MessageRow, 'id' | 'errors'>,
  error: unknown,
): Promise<boolean> {
  const errors = message.errors + 1;
  const dead = errors >= maxErrors;
  await tx.execute(
    `UPDATE messages SET errors = ?, last_error = ?, outages = 0, due_at = again.at,
       publish_at = again.at, done_at = CASE WHEN ? THEN clock_timestamp() END
     FROM (SELECT clock_timestamp() + make_interval(secs => ?) AS at) AS again WHERE id = ?`,
    [errors, messageOf(error).slice(0, 2000), dead, Math.min(0.2 * 3 ** errors, 10), message.id],
  );
  return dead;
}
