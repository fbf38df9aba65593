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
  /** Why its target cannot be reached, while that is waited for. */
  readonly unreachable: string;
  /** When its target was last seen, and what was asked then. */
  readonly observed_at: Date | null;
  readonly asked: string;
  /** Whether what this deployment put there is what runs there. */
  readonly live: boolean;
  /** Whether its version runs there, seen healthy, but put there by another deployment. */
  readonly same: boolean;
  readonly version: string;
  /** What was last seen there. */
  readonly current_version: string | null;
  readonly current_deployment: string | null;
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
            CASE WHEN i.status IN ('staging', 'switching') OR i.stopping THEN i.unreachable ELSE '' END
              AS unreachable,
            t.observed_at, t.asked, r.version,
            coalesce(t.current_release_id = i.content_release_id, false) AS live,
            coalesce(c.id <> i.content_release_id AND c.version_id = r.version_id, false) AND EXISTS (
              SELECT 1 FROM release_instances s WHERE s.target_id = t.id
                AND s.content_release_id = c.id AND s.status = 'succeeded') AS same,
            c.version AS current_version, c.deployment_id AS current_deployment
     FROM release_instances i
     JOIN releases r ON r.id = i.release_id
     JOIN targets t ON t.id = i.target_id
     LEFT JOIN releases c ON c.id = t.current_release_id
     WHERE i.deployment_id = ? AND NOT r.undo
       AND r.id = (SELECT l.id FROM releases l WHERE l.task_id = r.task_id ORDER BY l.id DESC LIMIT 1)
     ORDER BY r.service, i.position`,
    [deploymentId],
  );
  return rows;
}

function isReady({ status, live, same }: InstanceReading): boolean {
  return status === 'succeeded' && (live || same);
}

function checkOf(instance: InstanceReading): HealthCheck {
  const { observed_at, asked, error_message } = instance;
  const said = [messageOf(instance), error_message].filter(Boolean).join(': ');
  return {
    name: instance.instance_id,
    status: isReady(instance) ? 'healthy' : statusOf(instance),
    message: `${said} (${seenText(instance)})`,
    seen_at: observed_at?.toISOString() ?? null,
    asked,
  };
}

function seenText({ observed_at, asked }: InstanceReading): string {
  if (observed_at === null) return 'not seen yet';
  return `last seen at ${observed_at.toISOString()}${asked && `, asked: ${asked}`}`;
}

function statusOf({ status, verdict, unreachable }: InstanceReading): string {
  if (unreachable !== '') return 'unreachable';
  if (verdict !== null && verdict !== 'new' && status !== 'succeeded') return verdict;
  if (verdict === 'reverted' || verdict === 'unknown') return verdict;
  return status === 'failed' ? 'unhealthy' : status === 'succeeded' ? 'replaced' : status;
}

function messageOf(instance: InstanceReading): string {
  const { service, status, verdict, version } = instance;
  if (instance.unreachable !== '')
    return `${service} is ${status}, and its place cannot be reached: ${instance.unreachable}`;
  if (isReady(instance)) {
    const healthy = `${service} was seen healthy on ${version}`;
    if (instance.same) return `${healthy}, put there again by ${instance.current_deployment}`;
    return verdict === 'untouched' ? `${healthy} already, and was not touched` : healthy;
  }
  if (verdict === 'reverted' || verdict === 'unknown') return `${service} ${leftAs[verdict]}`;
  if (status === 'succeeded') return `${service} ${replacedBy(instance)}`;
  if (verdict === 'untouched') return `${service} ${leftAs.untouched}`;
  return verdict === null ? `${service} is ${status}` : `${service} was left on the new version`;
}

function replacedBy({ version, current_version, current_deployment }: InstanceReading): string {
  if (current_version === null) return 'has nothing that Floy has put there since';
  if (current_version !== version) return `has another version since, ${current_version}`;
  return `has ${version} of ${current_deployment} since, which was not seen healthy`;
}

const leftAs = {
  untouched: 'was not touched',
  reverted: 'was brought back to what ran before',
  unknown: 'was left in a state that could not be told',
};
