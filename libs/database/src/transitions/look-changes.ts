import { deployerOf } from '@floy/contracts';
import { revokeLeases } from '../leases.js';
import type { DeploymentRow, InstanceRow, ReleaseRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import type { ChangeOf } from './change-of.js';
import { waitForDeployerSeconds } from './release-changes.js';

/**
 * Hands instances to the release's deployer to be looked at again, each with the deadline for a
 * worker to take it. A deployer that cannot look takes its instances to be as they were.
 */
export async function lookAtInstances(
  tx: Transaction,
  deployment: DeploymentRow,
  { releaseId, instanceIds }: ChangeOf<'look'>,
): Promise<void> {
  const release = await tx.row<Pick<ReleaseRow, 'deployer'> & { until: Date }>(
    `UPDATE releases SET looked = true, advanced_at = now(), updated_at = now() WHERE id = ?
     RETURNING deployer, now() + make_interval(secs => ?) AS until`,
    [releaseId, waitForDeployerSeconds],
  );
  if (!release) throw new Error(`there is no release ${releaseId}`);
  const kind = deployerOf(tx.deployers, release.deployer).messages.look;
  if (kind === undefined) return;
  const handedOut = await tx.rows<Pick<InstanceRow, 'id' | 'target_id'>>(
    `UPDATE release_instances SET looking = true, started_at = NULL, deadline_at = ?,
       updated_at = now() WHERE id = ANY(?) RETURNING id, target_id`,
    [release.until, instanceIds],
  );
  for (const { id, target_id } of handedOut)
    tx.send(kind, { instance_id: id, target_id, deployment_id: deployment.id });
  tx.send('advance-deployment', { deployment_id: deployment.id }, release.until);
}

/** Takes a look back from whoever has it: its result would come too late. */
export async function endLook(
  tx: Transaction,
  deployment: DeploymentRow,
  { instanceId, sickened }: ChangeOf<'end-look'>,
): Promise<void> {
  const instance = await setLooked(tx, deployment, instanceId, sickened);
  if (instance) await revokeLeases(tx, [instance.target_id]);
}

/**
 * Ends the look at an instance, with the reason why it counts as failed from now on, or null.
 * Answers the instance; undefined where it is not being looked at.
 */
export async function setLooked(
  tx: Transaction,
  deployment: DeploymentRow,
  instanceId: string,
  sickened: string | null,
): Promise<InstanceRow | undefined> {
  const instance = await tx.row<InstanceRow>(
    `UPDATE release_instances SET looking = false, deadline_at = NULL, updated_at = now(),
       sickened_at = CASE WHEN ?::text IS NULL THEN sickened_at ELSE now() END,
       error_message = coalesce(?, error_message)
     WHERE id = ? AND looking RETURNING *`,
    [sickened, sickened, instanceId],
  );
  if (!instance || sickened === null) return instance;
  const data = { instance_id: instance.instance_id, message: sickened };
  tx.event({ stream: deployment.id, type: 'instance.sickened', subject: instanceId, data });
  return instance;
}
