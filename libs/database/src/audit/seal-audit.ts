import type { Sealer } from '@floy/secrets/sealing';
import type { Database } from '../database.js';
import { changesOf, rowOf, rowsOf } from '../statement.js';
import { lineColumns, sealOf, type AuditCheckpoint, type AuditLine } from './audit-seal.js';

/** How many lines one round seals. */
const AT_ONCE = 500;

/** What a round of sealing found and did. */
export interface SealingRound {
  /** Where the chain ends now. */
  readonly head: AuditCheckpoint;
  /** Whether a line that was there when the checkpoint was taken is there no more, or another one. */
  readonly cut: boolean;
  /** Whether more lines wait than one round takes. */
  readonly more: boolean;
}

/**
 * Numbers and seals lines of audit that were committed without, each onto the one before it. After
 * their commit, since lines that commit beside each other would have to wait for each other else.
 * One process at a time does it: undefined where another one is at it. `known` is a checkpoint that
 * has to be part of the chain.
 */
export function sealAudit(
  database: Pick<Database, 'transaction'>,
  sealer: Sealer,
  known?: AuditCheckpoint,
): Promise<SealingRound | undefined> {
  return database.transaction(async (tx) => {
    const lock = await tx.row<{ taken: boolean }>(
      `SELECT pg_try_advisory_xact_lock(hashtext('floy audit')) AS taken`,
    );
    if (!lock?.taken) return undefined;
    const [before, kept, lines] = await tx.together(
      rowOf<AuditCheckpoint>('SELECT seq, seal FROM audit_head'),
      rowOf<{ seal: string }>('SELECT seal FROM audit WHERE seq = ?', [known?.seq ?? 0]),
      rowsOf<AuditLine>(
        `SELECT ${lineColumns} FROM audit WHERE seq IS NULL ORDER BY audit.at, id LIMIT ${AT_ONCE}`,
      ),
    );
    let head = before ?? { seq: 0, seal: '' };
    const cut = known !== undefined && (head.seq < known.seq || kept?.seal !== known.seal);
    const sealed = lines.map((line) => {
      const seq = head.seq + 1;
      const previous = head.seal;
      head = { seq, seal: sealOf(sealer, previous, seq, line) };
      return { id: line.id, previous, ...head };
    });
    if (sealed.length > 0) {
      await tx.together(
        changesOf(
          `UPDATE audit SET seq = s.seq, previous = s.previous, seal = s.seal
           FROM unnest(?::text[], ?::bigint[], ?::text[], ?::text[]) AS s(id, seq, previous, seal)
           WHERE audit.id = s.id`,
          [
            sealed.map(({ id }) => id),
            sealed.map(({ seq }) => seq),
            sealed.map(({ previous }) => previous),
            sealed.map(({ seal }) => seal),
          ],
        ),
        changesOf(
          `INSERT INTO audit_head (seq, seal) VALUES (?, ?)
           ON CONFLICT (only_row) DO UPDATE SET seq = excluded.seq, seal = excluded.seal`,
          [head.seq, head.seal],
        ),
      );
    }
    return { head, cut, more: lines.length === AT_ONCE };
  });
}
