import type { TargetRow } from '../rows.js';
import { rowOf, rowsOf } from '../statement.js';
import type { Transaction } from '../transaction.js';

/**
 * What a rollback puts on targets of one application in one environment: by a target's id the
 * release of that version that was healthy there, or, on a target that came later, the newest one
 * that was healthy beside it. Nothing for any target where there is none. One trip for all of them.
 */
export async function healthyReleasesFor(
  tx: Transaction,
  targets: readonly TargetRow[],
  versionId: string | null,
): Promise<ReadonlyMap<string, string>> {
  const [first] = targets;
  if (first === undefined) return new Map();
  const [own, beside] = await tx.together(
    rowsOf<{ target_id: string; release_id: string }>(
      `SELECT DISTINCT ON (h.target_id) h.target_id, h.release_id
       FROM healthy_releases h JOIN releases r ON r.id = h.release_id
       WHERE h.target_id = ANY(?) AND r.version_id = ?
       ORDER BY h.target_id, h.healthy_at DESC`,
      [targets.map(({ id }) => id), versionId],
    ),
    rowOf<{ release_id: string }>(
      `SELECT h.release_id FROM healthy_releases h
       JOIN releases r ON r.id = h.release_id JOIN targets t ON t.id = h.target_id
       WHERE t.environment_id = ? AND t.application_id = ? AND r.version_id = ?
       ORDER BY h.healthy_at DESC LIMIT 1`,
      [first.environment_id, first.application_id, versionId],
    ),
  );
  if (beside === undefined) return new Map();
  return new Map([
    ...targets.map(({ id }) => [id, beside.release_id] as const),
    ...own.map(({ target_id, release_id }) => [target_id, release_id] as const),
  ]);
}

/** A release by its id, with the label that people see. */
export interface ReleaseLabel {
  readonly id: string;
  readonly version: string;
}

/**
 * The releases that a target may not lose (law 7): so many of the newest healthy ones, the last good
 * one and the one that runs, whatever their age.
 */
export async function releasesToKeep(
  tx: Transaction,
  target: TargetRow,
  healthy: number,
): Promise<ReleaseLabel[]> {
  return tx.rows<ReleaseLabel>(
    `SELECT id, version FROM releases WHERE id = ANY(?) OR id IN (
       SELECT release_id FROM healthy_releases WHERE target_id = ? ORDER BY healthy_at DESC LIMIT ?)`,
    [[target.last_good_release_id, target.current_release_id], target.id, healthy],
  );
}
