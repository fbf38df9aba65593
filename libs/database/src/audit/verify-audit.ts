import type { Sealer } from '@floy/secrets/sealing';
import type { Knex } from 'knex';
import { isSealOf, lineColumns, type AuditCheckpoint, type AuditLine } from './audit-seal.js';

/** Something that nobody with the encryption key did to the audit. */
export interface AuditProblem {
  /** The place in the chain. */
  readonly seq: number;
  /** The line there, if there is one. */
  readonly id?: string;
  readonly problem: string;
}

/** What is known of the audit after all of it was looked at. */
export interface AuditReport {
  /** How many lines were found whole and in their place. */
  readonly intact: number;
  /** Lines that no round of sealing has come to yet. */
  readonly unsealed: number;
  /** In the order of their places; the first hundred. */
  readonly problems: readonly AuditProblem[];
  /** Where the chain ends: kept somewhere else, it shows later that nothing was cut off. */
  readonly head: AuditCheckpoint;
}

interface SealedLine extends AuditLine, AuditCheckpoint {
  readonly previous: string;
}

const AT_ONCE = 1000;
const MOST_PROBLEMS = 100;

/**
 * Looks at every line of the audit: whether it is as it was sealed, follows the one before it, and
 * whether the chain still holds what its head and the given checkpoint name.
 */
export async function verifyAudit(
  knex: Knex,
  sealer: Sealer,
  checkpoint?: AuditCheckpoint,
): Promise<AuditReport> {
  const problems: AuditProblem[] = [];
  const note = (seq: number, problem: string, id?: string): void => {
    if (problems.length < MOST_PROBLEMS) problems.push({ seq, problem, ...(id && { id }) });
  };
  const missing = (from: number, to: number, why: string): void => {
    if (from <= to) note(from, from === to ? `is missing${why}` : `to ${to} are missing${why}`);
  };
  // Before the lines: what is sealed meanwhile is no problem.
  const head = await headOf(knex);
  const wanted = [head, ...(checkpoint ? [checkpoint] : [])];
  let intact = 0;
  let last: AuditCheckpoint = { seq: 0, seal: '' };
  for (;;) {
    const { rows } = await knex.raw<{ rows: SealedLine[] }>(
      `SELECT seq, seal, previous, ${lineColumns} FROM audit
       WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ${AT_ONCE}`,
      [last.seq, head.seq],
    );
    for (const line of rows) {
      const { seq, seal, previous, id } = line;
      missing(last.seq + 1, seq - 1, '');
      const whole = isSealOf(sealer, seal, previous, seq, line);
      const follows = seq !== last.seq + 1 || previous === last.seal;
      if (!whole) note(seq, 'is not as it was sealed', id);
      else if (!follows) note(seq, 'does not follow the line before it', id);
      else intact += 1;
      for (const { seq: at, seal: expected } of wanted)
        if (at === seq && expected !== seal)
          note(seq, 'is another line than the checkpoint has', id);
      last = { seq, seal };
    }
    if (rows.length < AT_ONCE) break;
  }
  missing(last.seq + 1, head.seq, ', cut off at the end');
  if (checkpoint && checkpoint.seq > head.seq)
    missing(head.seq + 1, checkpoint.seq, ', which the checkpoint has');
  return { intact, unsealed: await outside(knex, note), problems, head };
}

async function headOf(knex: Knex): Promise<AuditCheckpoint> {
  const { rows } = await knex.raw<{ rows: AuditCheckpoint[] }>('SELECT seq, seal FROM audit_head');
  return rows[0] ?? { seq: 0, seal: '' };
}

/** How many lines wait to be sealed; those numbered beyond the head were numbered by somebody else. */
async function outside(
  knex: Knex,
  note: (seq: number, problem: string, id: string) => void,
): Promise<number> {
  const { rows } = await knex.raw<{ rows: { id: string; seq: number }[] }>(
    `SELECT id, seq FROM audit WHERE seq > (SELECT coalesce(max(seq), 0) FROM audit_head)
     ORDER BY seq LIMIT ${MOST_PROBLEMS}`,
  );
  for (const { id, seq } of rows) note(seq, 'stands behind the end of the chain', id);
  const waiting = await knex.raw<{ rows: { count: number }[] }>(
    'SELECT count(*)::integer AS count FROM audit WHERE seq IS NULL',
  );
  return waiting.rows[0]?.count ?? 0;
}
