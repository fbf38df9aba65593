import type { ReleaseRow, TargetRow } from '../rows.js';
import { rowsOf } from '../statement.js';
import type { Transaction } from '../transaction.js';

/** A service of an environment; without an application, all of them. */
export interface TargetsAsked {
  readonly environmentId: string;
  readonly applicationId: string | null;
}

/** The targets of a service, those seen last first. */
export async function targetsOf(
  tx: Transaction,
  { environmentId, applicationId }: TargetsAsked,
): Promise<TargetRow[]> {
  return tx.rows<TargetRow>(
    `SELECT * FROM targets
     WHERE claimed AND environment_id = ? AND coalesce(application_id = ?, true)
     ORDER BY observed_at DESC NULLS LAST, id`,
    [environmentId, applicationId],
  );
}

/** The instance of a release that is at work on one of these targets, or undefined. */
export async function instanceAtWork(
  tx: Transaction,
  targetIds: readonly string[],
): Promise<string | undefined> {
  const row = await tx.row<{ instance_id: string }>(
    `SELECT instance_id FROM release_instances
     WHERE target_id = ANY(?) AND (status IN ('staging', 'switching') OR stopping OR looking)
     LIMIT 1`,
    [targetIds],
  );
  return row?.instance_id;
}

/** What runs on a target, as the record says: what was last seen there, else the last good one. */
export async function runningReleaseOf(
  tx: Transaction,
  target: TargetRow,
): Promise<ReleaseRow | undefined> {
  const id = target.current_release_id ?? target.last_good_release_id;
  return tx.row<ReleaseRow>('SELECT * FROM releases WHERE id = ?', [id]);
}

/** What of an environment may be known on its targets. */
export interface KnownThere {
  /** The applications that have targets. */
  readonly applicationIds: string[];
  /** The sealed snapshots that what runs there, or was good there, was released with. */
  readonly snapshots: Pick<ReleaseRow, 'deployment_id' | 'snapshot'>[];
}

/** Reads what the targets of an environment may know. */
export async function knownOn(tx: Transaction, environmentId: string): Promise<KnownThere> {
  const [applications, snapshots] = await tx.together(
    rowsOf<{ application_id: string }>(
      'SELECT DISTINCT application_id FROM targets WHERE claimed AND environment_id = ?',
      [environmentId],
    ),
    rowsOf<Pick<ReleaseRow, 'deployment_id' | 'snapshot'>>(
      `SELECT deployment_id, snapshot FROM releases WHERE id IN (
         SELECT unnest(ARRAY[current_release_id, last_good_release_id]) FROM targets
         WHERE environment_id = ?)`,
      [environmentId],
    ),
  );
  return { applicationIds: applications.map(({ application_id }) => application_id), snapshots };
}
