import type { DeploymentInfo, HealthCheck, HealthCheckResult } from '@floy/contracts';
import type { InstanceStatus, Verdict } from '@floy/domain';
import type { Knex } from 'knex';
import { readDeployment } from '../repositories/deployments.js';

interface InstanceReading {
  readonly instance_id: string;
  readonly service: string;
  readonly status: InstanceStatus;
  readonly verdict: Verdict | null;
  readonly error_message: string;
  readonly updated_at: Date;
  readonly live: boolean;
}

/** Instances as replicas, summed over applications. Throws NotFoundError. */
export async function readDeploymentInfo(knex: Knex, id: string): Promise<DeploymentInfo> {
  const deployment = await readDeployment(knex, id);
  const instances = await instancesOf(knex, id);
  const changes = instances.map(({ updated_at }) => updated_at.toISOString());
  return {
    deployment_id: id,
    status: deployment.status,
    replicas: instances.length,
    ready_replicas: instances.filter(isReady).length,
    updated_at: [deployment.updated_at, ...changes].sort().at(-1) ?? deployment.updated_at,
  };
}

/** What was last seen of every instance that a deployment goes to. Throws NotFoundError. */
export async function readHealth(knex: Knex, id: string): Promise<HealthCheckResult> {
  await readDeployment(knex, id);
  const instances = await instancesOf(knex, id);
  const ready = instances.filter(isReady).length;
  const healthy = instances.length > 0 && ready === instances.length;
  return {
    healthy,
    message: `${ready} of ${instances.length} instances are healthy on this deployment's version`,
    checks: instances.map(checkOf),
  };
}

/**
 * The newest forward release of each deploy task. An instance is live while what runs there is what
 * this deployment put there: a later deployment, or an undo, takes that away.
 */
async function instancesOf(knex: Knex, deploymentId: string): Promise<InstanceReading[]> {
  const { rows } = await knex.raw<{ rows: InstanceReading[] }>(
    `SELECT i.instance_id, r.service, i.verdict,
            CASE WHEN i.sickened_at IS NULL THEN i.status ELSE 'failed' END AS status, i.error_message, i.updated_at,
            coalesce(t.current_release_id = i.content_release_id, false) AS live
     FROM release_instances i
     JOIN releases r ON r.id = i.release_id
     JOIN targets t ON t.id = i.target_id
     WHERE i.deployment_id = ? AND NOT r.undo
       AND r.id = (SELECT l.id FROM releases l WHERE l.task_id = r.task_id ORDER BY l.id DESC LIMIT 1)
     ORDER BY r.service, i.position`,
    [deploymentId],
  );
  return rows;
}

function isReady({ status, live }: InstanceReading): boolean {
  return status === 'succeeded' && live;
}

function checkOf(instance: InstanceReading): HealthCheck {
  return {
    name: instance.instance_id,
    status: isReady(instance) ? 'healthy' : statusOf(instance),
    message: [messageOf(instance), instance.error_message].filter(Boolean).join(': '),
  };
}

function statusOf({ status, verdict }: InstanceReading): string {
  if (verdict !== null && verdict !== 'new') return verdict;
  return status === 'failed' ? 'unhealthy' : status === 'succeeded' ? 'replaced' : status;
}

function messageOf({ service, status, verdict, live }: InstanceReading): string {
  if (status === 'succeeded' && live) return `${service} was seen healthy`;
  if (verdict !== null && verdict !== 'new') return `${service} ${leftAs[verdict]}`;
  if (status === 'succeeded') return `${service} has another version since`;
  return verdict === null ? `${service} is ${status}` : `${service} was left on the new version`;
}

const leftAs = {
  untouched: 'was not touched',
  reverted: 'was brought back to what ran before',
  unknown: 'was left in a state that could not be told',
};
