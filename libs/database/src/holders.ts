import type { OutgoingMessage } from './after-commit.js';
import type { Transaction } from './transaction.js';

/** Runs one statement on the connection that renews leases; `$1` stands for a value. */
export type AskPostgres = <R extends object>(
  sql: string,
  values: readonly unknown[],
) => Promise<{ rows: R[] }>;

/** A holder with leases that have not run out, whose session lock nobody has. */
export interface UnlockedHolder {
  readonly holder: string;
  /** When its last lease runs out, as Postgres writes it; a renewal changes it. */
  readonly expiresAt: string;
  /** Postgres' clock at this look. Milliseconds. */
  readonly seenAt: number;
  /** How long this Postgres has run: right after a restart nobody has a lock. Milliseconds. */
  readonly upMs: number;
}

/**
 * The key of a holder's session lock. Were two keys the same, a dead holder would look alive until
 * its leases run out, as all of them do without this.
 */
const keyOf = (holder: string) => `hashtextextended(${holder}, 0)`;

/** Whether a session of this database has the lock of a holder. */
const isLocked = (holder: string) => `EXISTS (
    SELECT FROM pg_locks k WHERE k.locktype = 'advisory' AND k.objsubid = 1
      AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (k.classid::bigint << 32 | k.objid::bigint) = ${keyOf(holder)})`;

/**
 * Takes a holder's session lock. Postgres frees it as soon as the kernel closes the socket of a
 * process that died. It is shared, so that taking it never waits: not for the session of a
 * connection that broke, nor for another key that is the same.
 */
export async function lockHolder(ask: AskPostgres, holder: string): Promise<void> {
  await ask(`SELECT pg_advisory_lock_shared(${keyOf('$1')})`, [holder]);
}

/** Looks for other holders without their lock. Where no other holds anything it reads an index. */
export async function findUnlockedHolders(
  ask: AskPostgres,
  self: string,
): Promise<UnlockedHolder[]> {
  const { rows } = await ask<UnlockedHolder>(
    `WITH others AS MATERIALIZED (
       SELECT holder, max(expires_at) AS expires_at FROM leases
       WHERE holder IS NOT NULL AND holder <> $1 GROUP BY holder
     )
     SELECT holder, expires_at::text AS "expiresAt",
            extract(epoch FROM clock_timestamp())::float8 * 1000 AS "seenAt",
            extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 * 1000 AS "upMs"
     FROM others WHERE expires_at > clock_timestamp() AND NOT ${isLocked('holder')}`,
    [self],
  );
  return rows;
}

/** Whether a holder's process is known to live: it has its session lock. */
export async function isHolderLocked(tx: Transaction, holder: string): Promise<boolean> {
  const row = await tx.row<{ locked: boolean }>(`SELECT ${isLocked('?::text')} AS locked`, [
    holder,
  ]);
  return row?.locked ?? false;
}

/** What a dead holder left behind. */
export interface LeftBehind {
  readonly subjects: readonly string[];
  /** What was due on these subjects: due again now, and worth publishing at once. */
  readonly messages: readonly OutgoingMessage[];
}

/**
 * Lets the leases of a dead holder run out now, so that others may take them over. It changes
 * nothing where the holder has its lock again or has renewed since it was looked at. One that only
 * seemed dead may still renew, for as long as nobody took over.
 */
export async function expireLeasesOf(
  tx: Transaction,
  { holder, expiresAt }: Pick<UnlockedHolder, 'holder' | 'expiresAt'>,
): Promise<LeftBehind> {
  // Messages before leases and each in order, as whoever works locks them.
  const messages = await tx.rows<OutgoingMessage & { subject: string }>(
    `SELECT m.id, m.kind, m.claims, m.subject FROM messages m JOIN leases l ON l.subject = m.subject
     WHERE l.holder = ? AND m.done_at IS NULL AND m.due_at <= clock_timestamp()
     ORDER BY m.id FOR UPDATE OF m`,
    [holder],
  );
  const expired = await tx.rows<{ subject: string }>(
    `WITH theirs AS (
       SELECT subject FROM leases WHERE holder = ? AND expires_at > clock_timestamp()
         AND NOT EXISTS (SELECT FROM leases WHERE holder = ? AND expires_at > ?::timestamptz)
         AND NOT ${isLocked('?::text')}
       ORDER BY subject FOR NO KEY UPDATE
     )
     UPDATE leases l SET expires_at = clock_timestamp() FROM theirs
     WHERE l.subject = theirs.subject RETURNING l.subject`,
    [holder, holder, expiresAt, holder],
  );
  const subjects = expired.map(({ subject }) => subject);
  const due = messages.filter(({ subject }) => subjects.includes(subject));
  if (due.length > 0) {
    await tx.execute('UPDATE messages SET publish_at = clock_timestamp() WHERE id = ANY(?)', [
      due.map(({ id }) => id),
    ]);
  }
  return { subjects, messages: due.map(({ id, kind, claims }) => ({ id, kind, claims })) };
}
