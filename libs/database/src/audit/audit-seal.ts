import type { Sealer } from '@floy/secrets/sealing';

/** Where the chain of the audit ended at some time: so many lines, and the seal of the last one. */
export interface AuditCheckpoint {
  readonly seq: number;
  readonly seal: string;
}

/** A line of the audit, as its seal covers it. */
export interface AuditLine {
  readonly id: string;
  /** To the microsecond, in UTC. */
  readonly at: string;
  readonly actor: string;
  readonly token_id: string | null;
  readonly action: string;
  readonly subject: string;
  readonly outcome: number;
  readonly request_id: string;
  /** As Postgres writes it. */
  readonly data: string;
}

/** What a query names to get lines. */
export const lineColumns = `id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') AS at,
  actor, token_id, action, subject, outcome, request_id, data::text AS data`;

const PURPOSE = 'audit';

/** Keyed by the encryption key: who can write to the table and has no key cannot make one. */
export function sealOf(sealer: Sealer, previous: string, seq: number, line: AuditLine): string {
  return sealer.fingerprint(sealedText(previous, seq, line), PURPOSE);
}

/** Whether a seal was made here of this line at this place, by a key of today or before. */
export function isSealOf(
  sealer: Sealer,
  seal: string,
  previous: string,
  seq: number,
  line: AuditLine,
): boolean {
  return sealer.isFingerprint(seal, sealedText(previous, seq, line), PURPOSE);
}

function sealedText(previous: string, seq: number, line: AuditLine): string {
  const { id, at, actor, token_id, action, subject, outcome, request_id, data } = line;
  return JSON.stringify([
    ...[previous, seq, id, at, actor, token_id],
    ...[action, subject, outcome, request_id, data],
  ]);
}

/** A checkpoint as a person keeps it: `17:5f0c…`. */
export function writeCheckpoint({ seq, seal }: AuditCheckpoint): string {
  return `${seq}:${seal}`;
}

/** Reads what `writeCheckpoint` wrote; undefined for anything else. */
export function readCheckpoint(text: string): AuditCheckpoint | undefined {
  const [, seq, seal] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  return seq === undefined || seal === undefined ? undefined : { seq: Number(seq), seal };
}
