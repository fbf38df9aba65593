import type { TargetRow } from '../rows.js';
import type { Transaction } from '../transaction.js';

/**
 * What a rollback puts on a target: the release of that version that was healthy there, or, on a
 * target that came later, one that was healthy beside it. Undefined where there is none.
 */
export async function healthyReleaseFor(
  tx: Transaction,
  target: TargetRow,
  versionId: string | null,
): Promise<string | undefined> {
  const row = await tx.row<{ release_id: string }>(
    `SELECT h.release_id FROM healthy_releases h
     JOIN releases r ON r.id = h.release_id JOIN targets t ON t.id = h.target_id
     WHERE t.environment_id = ? AND t.application_id = ? AND r.version_id = ?
     ORDER BY t.id = ? DESC, h.healthy_at DESC LIMIT 1`,
    [target.environment_id, target.application_id, versionId, target.id],
  );
  return row?.release_id;
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
