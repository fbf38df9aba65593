import type { Deployment, DeploymentRepository } from '@floy/contracts';
import { ConflictError, isFinal } from '@floy/domain';
import type { Knex } from 'knex';
import type { Access } from '../access.js';
import { listedOrigins, type DeploymentRow } from '../rows.js';
import { failDeployment } from '../transitions/cancel-deployment.js';
import { createDeployment } from '../transitions/create-deployment.js';
import { findById, listed } from './find.js';

interface DeploymentReading extends DeploymentRow {
  readonly application_ids: string[];
  /** Of each target that is waited for: which one, why it cannot be reached, and until when. */
  readonly unreachable?: string[] | null;
}

/** So many of them are named; the others are counted. */
const NAMED = 3;

/** Deployments: written by transitions. */
export function createDeploymentRepository({ knex, transact }: Access): DeploymentRepository {
  return {
    create: (deployment) =>
      transact(async (tx) => {
        const row = await createDeployment(tx, {
          versionId: deployment.version_id,
          applicationIds: deployment.application_ids,
          environmentId: deployment.environment_id,
          createdBy: deployment.created_by,
          force: deployment.force,
        });
        return deploymentOf({ ...row, application_ids: [...deployment.application_ids] });
      }),
    getById: (id) => readDeployment(knex, id),
    list({ status, environmentId, versionId, ...page }) {
      const query = selectDeployments(knex).whereIn('origin', [...listedOrigins]);
      if (status !== undefined) query.where('status', status);
      if (environmentId !== undefined) query.where('environment_id', environmentId);
      if (versionId !== undefined) query.where('version_id', versionId);
      return listed(query, page, deploymentOf);
    },
    update: ({ id, status, error_message }) =>
      transact(async (tx) => {
        const { status: now } = await readDeployment(tx.knex, id);
        if (now === status) return;
        // Whatever else it may become is for its work to decide, and to have seen.
        if (status !== 'failed' || isFinal('deployment', now))
          throw new ConflictError(`Deployment ${id} is ${now}: it cannot be made ${status}`);
        await failDeployment(tx, id, error_message);
      }),
  };
}

/** A deployment as the API shows it. Throws NotFoundError. */
export async function readDeployment(knex: Knex, id: string): Promise<Deployment> {
  const query = selectDeployments(knex).where({ id });
  return deploymentOf(await findById<DeploymentReading>(query, 'dep', 'deployment', id));
}

function selectDeployments(knex: Knex): Knex.QueryBuilder {
  const applications = knex.raw(`(
    SELECT array_agg(a.application_id ORDER BY a.position)
    FROM deployment_applications a WHERE a.deployment_id = deployments.id
  ) AS application_ids`);
  const unreachable = knex.raw(`CASE WHEN deployments.settled_at IS NULL THEN (
    SELECT array_agg(i.instance_id || ': ' || i.unreachable ORDER BY i.position)
    FROM release_instances i
    WHERE i.deployment_id = deployments.id AND i.unreachable <> ''
      AND (i.status IN ('staging', 'switching') OR i.stopping)
  ) END AS unreachable`);
  return knex('deployments').select('deployments.*', applications, unreachable);
}

function deploymentOf(row: DeploymentReading): Deployment {
  return {
    id: row.id,
    version_id: row.version_id ?? '',
    application_ids: row.application_ids,
    environment_id: row.environment_id,
    status: row.status,
    created_by: row.created_by,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    started_at: row.started_at?.toISOString() ?? null,
    completed_at: row.completed_at?.toISOString() ?? null,
    error_message: row.error_message,
    settled_at: row.settled_at?.toISOString() ?? null,
    rollback_of: row.rollback_of,
    waiting_for: [row.waiting_for, ...unreachableOf(row)].filter(Boolean).join('; '),
    cancelled_by: row.cancelled_by,
    paused_by: row.paused_by,
    approved_by: row.approved_by,
    promoted_by: row.promoted_by,
    aborted_by: row.aborted_by,
  };
}

function unreachableOf({ unreachable }: DeploymentReading): string[] {
  const all = unreachable ?? [];
  const more = all.length > NAMED ? [`${all.length - NAMED} more cannot be reached`] : [];
  return [...all.slice(0, NAMED), ...more];
}
