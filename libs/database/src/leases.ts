import { rowOf, type Statement } from './statement.js';
import type { Transaction } from './transaction.js';

/** How long a lease holds without renewal, and how often it is renewed. Milliseconds. */
export const leaseMs = 10_000;
export const leaseRenewalMs = 3000;

export interface Lease {
  subject: string;
  epoch: number;
}

/** Who takes leases: says so only while it holds its session lock (`holders.ts`). */
export interface Taker {
  readonly holder: string;
  /**
   * Whether it was itself punctual and connected for a whole lease length: who was late or cut off
   * must not take its own trouble for the death of others.
   */
  readonly mayTakeOver: boolean;
}

export type LeaseAttempt =
  /** `from` is who held it before, where its lease had run out. */
  | { taken: true; lease: Lease; from?: string }
  /** Somebody else holds it; worth another look after this many milliseconds. */
  | { taken: false; retryAfterMs: number };

/**
 * Takes the lease of a subject if it is free, or if it has run out and the taker may take over.
 * Taking always draws a new epoch; renewing never does. `along` travels with it, taken or not.
 */
export async function takeLease(
  tx: Transaction,
  subject: string,
  { holder, mayTakeOver }: Taker,
  along: readonly Statement<unknown>[] = [],
): Promise<LeaseAttempt> {
  const taking = rowOf<{ epoch: number; from: string | null }>(
    `WITH before AS (SELECT holder FROM leases WHERE subject = ?)
     INSERT INTO leases AS l (subject, epoch, holder, expires_at)
     VALUES (?, nextval('epochs'), ?, clock_timestamp() + interval '${leaseMs} milliseconds')
     ON CONFLICT (subject) DO UPDATE
       SET epoch = excluded.epoch, holder = excluded.holder, expires_at = excluded.expires_at
       WHERE l.holder IS NULL OR (l.expires_at <= clock_timestamp() AND ?)
     RETURNING epoch, (SELECT holder FROM before) AS "from"`,
    [subject, subject, holder, mayTakeOver],
  );
  const [taken] = await tx.together(taking, ...along);
  if (taken)
    return { taken: true, lease: { subject, epoch: taken.epoch }, from: taken.from ?? undefined };
  const { leftMs } = await lookAtLease(tx, subject);
  return { taken: false, retryAfterMs: Math.max(leftMs, mayTakeOver ? 20 : 500) };
}

/** Looks who has the lease of a subject, without taking it. */
export async function lookAtLease(
  tx: Transaction,
  subject: string,
): Promise<{ epoch: number; held: boolean; leftMs: number }> {
  const row = await tx.row<{ epoch: number; held: boolean; left: number | null }>(
    `SELECT epoch, holder IS NOT NULL AS held,
            extract(epoch FROM expires_at - clock_timestamp())::float8 * 1000 AS left
     FROM leases WHERE subject = ?`,
    [subject],
  );
  return { epoch: row?.epoch ?? 0, held: row?.held ?? false, leftMs: Math.max(row?.left ?? 0, 0) };
}

/** Ends a lease whose work is done. False where it was not ours any more: write nothing then. */
export async function endLease(tx: Transaction, lease: Lease): Promise<boolean> {
  const changed = await tx.execute(
    'UPDATE leases SET holder = NULL, expires_at = NULL WHERE subject = ? AND epoch = ? AND holder IS NOT NULL',
    [lease.subject, lease.epoch],
  );
  return changed === 1;
}

/**
 * Takes the right to act away from whoever holds it: a new epoch and no holder. The one exception
 * to takeover after expiry, for cancels and deadlines.
 */
export async function revokeLeases(tx: Transaction, subjects: readonly string[]): Promise<void> {
  const ordered = [...new Set(subjects)].sort();
  if (ordered.length === 0) return;
  await tx.execute(
    `INSERT INTO leases (subject, epoch) SELECT s, nextval('epochs') FROM unnest(?::text[]) AS s ORDER BY s
     ON CONFLICT (subject) DO UPDATE SET epoch = nextval('epochs'), holder = NULL, expires_at = NULL`,
    [ordered],
  );
  for (const subject of ordered) tx.nudge({ topic: 'lease', id: subject });
}

/** A lease that its holder still has. */
export interface KeptLease extends Lease {
  /** False where somebody has the row locked just now: it may be ours afterwards, or not. */
  renewed: boolean;
}

/**
 * Renews what this holder still has, late or not, and answers which of them that is. It waits for
 * no lock: a long transaction of another would look like an outage of Postgres.
 */
export async function renewLeases(
  query: (sql: string, values: unknown[]) => Promise<{ rows: KeptLease[] }>,
  holder: string,
  leases: readonly Lease[],
): Promise<KeptLease[]> {
  const { rows } = await query(
    // Locked in the order of their subjects, as a cancel revokes them.
    `WITH asked AS (
       SELECT * FROM unnest($1::text[], $2::bigint[]) AS a(subject, epoch)
     ), mine AS (
       SELECT l.subject FROM leases l JOIN asked a ON l.subject = a.subject AND l.epoch = a.epoch
       WHERE l.holder = $3 ORDER BY l.subject FOR NO KEY UPDATE OF l SKIP LOCKED
     ), renewed AS (
       UPDATE leases l SET expires_at = clock_timestamp() + interval '${leaseMs} milliseconds'
       FROM mine WHERE l.subject = mine.subject RETURNING l.subject
     )
     SELECT l.subject, l.epoch, r.subject IS NOT NULL AS renewed
     FROM leases l JOIN asked a ON l.subject = a.subject AND l.epoch = a.epoch
     LEFT JOIN renewed r ON r.subject = l.subject WHERE l.holder = $3`,
    [leases.map(({ subject }) => subject), leases.map(({ epoch }) => epoch), holder],
  );
  return rows;
}
