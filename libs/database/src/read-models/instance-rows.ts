import type { Environment } from '@floy/contracts';
import { VerdictError } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';
import { openEnvironment, type EnvironmentRow } from '../repositories/environments.js';
import type { InstanceRow, ReleaseRow, TargetRow } from '../rows.js';
import { rowOf } from '../statement.js';
import type { Transaction } from '../transaction.js';

/** All rows that the work on one instance of a release needs. */
export interface InstanceRows {
  readonly instance: InstanceRow;
  readonly release: ReleaseRow;
  readonly target: TargetRow;
  /** What is put there: the release itself, or the earlier one that is returned to. */
  readonly content: ReleaseRow;
  /** What was last seen there, if Floy made it. */
  readonly running: ReleaseRow | undefined;
  /** Whether what is healthy there already is put there all the same. */
  readonly force: boolean;
  /** As it is today, secrets opened. */
  readonly environment: Environment;
}

/** Reads them in one trip. Throws VerdictError where one of them is gone. */
export async function readInstanceRows(
  tx: Transaction,
  sealer: Sealer,
  instanceId: string,
): Promise<InstanceRows> {
  const of = 'FROM release_instances i JOIN releases r ON r.id = i.release_id';
  const [instance, release, target, content, running, deployment, environment] = await tx.together(
    rowOf<InstanceRow>('SELECT * FROM release_instances WHERE id = ?', [instanceId]),
    rowOf<ReleaseRow>(`SELECT r.* ${of} WHERE i.id = ?`, [instanceId]),
    rowOf<TargetRow>(`SELECT t.* ${of} JOIN targets t ON t.id = i.target_id WHERE i.id = ?`, [
      instanceId,
    ]),
    rowOf<ReleaseRow>(
      `SELECT c.* ${of} JOIN releases c ON c.id = i.content_release_id WHERE i.id = ?`,
      [instanceId],
    ),
    rowOf<ReleaseRow>(
      `SELECT c.* ${of} JOIN targets t ON t.id = i.target_id
       JOIN releases c ON c.id = t.current_release_id WHERE i.id = ?`,
      [instanceId],
    ),
    rowOf<{ force: boolean }>(
      `SELECT d.force ${of} JOIN deployments d ON d.id = r.deployment_id WHERE i.id = ?`,
      [instanceId],
    ),
    rowOf<EnvironmentRow>(
      `SELECT e.* ${of} JOIN environments e ON e.id = r.environment_id WHERE i.id = ?`,
      [instanceId],
    ),
  );
  if (!instance || !release || !target || !content || !environment)
    throw new VerdictError(`There is no instance ${instanceId} any more`);
  return {
    ...{ instance, release, target, content, running, force: deployment?.force ?? false },
    environment: openEnvironment(sealer, environment),
  };
}
