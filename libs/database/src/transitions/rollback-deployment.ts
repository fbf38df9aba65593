import { ConflictError, NotFoundError, isFinal } from '@floy/domain';
import type { DeploymentRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { createDeployment } from './create-deployment.js';
import { failDeployment } from './cancel-deployment.js';
import { PREVIOUS, previousVersion, versionNamed } from './rollback-target.js';

/**
 * Makes the deployment that brings the applications of `id` back to an earlier version (its id, its
 * tag, or `previous`), reusing what
 * was healthy on their targets. It stands first in the queue and supersedes pending deployments that
 * share an application with it.
 */
export async function rollbackDeployment(
  tx: Transaction,
  id: string,
  options: { targetVersionId: string; actor: string },
): Promise<DeploymentRow> {
  const deployment = await tx.row<DeploymentRow>('SELECT * FROM deployments WHERE id = ?', [id]);
  if (!deployment) throw new NotFoundError(`There is no deployment ${id}`);
  if (!isFinal('deployment', deployment.status)) {
    throw new ConflictError(`Deployment ${id} is ${deployment.status}: cancel it first`);
  }
  const applications = await tx.rows<{ id: string; name: string }>(
    `SELECT a.id, a.name FROM deployment_applications da JOIN applications a ON a.id = da.application_id
     WHERE da.deployment_id = ? ORDER BY da.position`,
    [id],
  );
  const named = options.targetVersionId;
  const version = named === PREVIOUS ? undefined : await versionNamed(tx, deployment, named);
  await refuseWhereNotLive(tx, deployment, applications);
  const versionId = version ?? (await previousVersion(tx, deployment, applications));
  for (const application of applications)
    await requireHealthyRun(tx, deployment, application, versionId);

  const rollback = await createDeployment(tx, {
    versionId,
    applicationIds: applications.map((application) => application.id),
    environmentId: deployment.environment_id,
    createdBy: options.actor,
    origin: 'rollback',
    rollbackOf: id,
  });
  await supersedePending(
    tx,
    rollback,
    applications.map((application) => application.id),
  );
  return rollback;
}

/** The version that an earlier deployment to the same environment brought. Throws NotFoundError. */
export async function versionBroughtBy(
  tx: Transaction,
  targetDeploymentId: string,
  like: string,
): Promise<string> {
  const target = await tx.row<{ version_id: string | null }>(
    `SELECT t.version_id FROM deployments t JOIN deployments d ON d.environment_id = t.environment_id
     WHERE t.id = ? AND d.id = ?`,
    [targetDeploymentId, like],
  );
  if (target?.version_id) return target.version_id;
  throw new NotFoundError(`There is no deployment ${targetDeploymentId} here`);
}

/**
 * A rollback starts from what runs: where something else is live, that is what to roll back. Live is
 * whose release came last on a target of the application and was neither left out nor returned; one
 * that found itself there already, and so touched nothing, is.
 */
async function refuseWhereNotLive(
  tx: Transaction,
  deployment: DeploymentRow,
  applications: { id: string; name: string }[],
): Promise<void> {
  for (const application of applications) {
    const live = await tx.rows<{ id: string }>(
      `SELECT DISTINCT last.deployment_id AS id
       FROM targets t CROSS JOIN LATERAL (
         SELECT r.deployment_id FROM release_instances i JOIN releases r ON r.id = i.release_id
         WHERE i.target_id = t.id AND NOT r.undo
           AND (i.verdict IN ('new', 'unknown') OR (i.verdict = 'untouched' AND i.status = 'succeeded'))
         ORDER BY r.created_at DESC LIMIT 1
       ) last
       WHERE t.environment_id = ? AND t.application_id = ?`,
      [deployment.environment_id, application.id],
    );
    if (live.some(({ id }) => id === deployment.id)) continue;
    // Nothing is known to be there: then it may be what has begun.
    if (live.length === 0 && deployment.started_at !== null) continue;
    throw new ConflictError(
      `Deployment ${deployment.id} is not live for application ${application.name}`,
      live[0] ? { live: live[0].id } : {},
    );
  }
}

async function requireHealthyRun(
  tx: Transaction,
  deployment: DeploymentRow,
  application: { id: string; name: string },
  versionId: string,
): Promise<void> {
  const healthy = await tx.row(
    `SELECT 1 FROM healthy_releases h JOIN releases r ON r.id = h.release_id JOIN targets t ON t.id = h.target_id
     WHERE t.environment_id = ? AND t.application_id = ? AND r.version_id = ? LIMIT 1`,
    [deployment.environment_id, application.id, versionId],
  );
  if (healthy) return;
  throw new ConflictError(
    `Version ${versionId} of application ${application.name} has never been healthy there`,
    {
      application_id: application.id,
    },
  );
}

async function supersedePending(
  tx: Transaction,
  rollback: DeploymentRow,
  applicationIds: string[],
): Promise<void> {
  const pending = await tx.rows<{ id: string }>(
    `SELECT DISTINCT d.id FROM deployments d JOIN deployment_applications a ON a.deployment_id = d.id
     WHERE d.environment_id = ? AND d.status = 'pending' AND d.origin <> 'rollback' AND a.application_id = ANY(?) ORDER BY d.id`,
    [rollback.environment_id, applicationIds],
  );
  for (const { id } of pending)
    await failDeployment(tx, id, `Superseded by ${rollback.id}`, 'pending');
}
