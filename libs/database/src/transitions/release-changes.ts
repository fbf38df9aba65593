import { batchOf, batchSizes, failureBudget, type Change } from '@floy/domain';
import { newId } from '../ids.js';
import type { DeploymentRow, InstanceRow, TaskRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { setStatus } from './set-status.js';

/** How long work may wait for a deployer to take it. Seconds. */
const waitForDeployerSeconds = 3600;

type ChangeOf<D extends Change['do']> = Extract<Change, { do: D }>;

/** Makes the release of a deploy task that is ready: its row and one row per instance. */
export async function createRelease(
  tx: Transaction,
  deployment: DeploymentRow,
  task: TaskRow,
  artifactSha256: string | null,
): Promise<void> {
  const { plan } = task;
  if (!plan) throw new Error(`deploy task ${task.id} has no plan`);
  const id = newId('rel');
  const batches = batchSizes(plan.instances.length, plan.batchSize);
  await tx.knex('releases').insert({
    id,
    deployment_id: deployment.id,
    task_id: task.id,
    application_id: task.application_id,
    environment_id: plan.environmentId,
    version_id: plan.versionId,
    service: plan.service,
    undo: task.undo_of !== null,
    round: deployment.round,
    artifact_sha256: artifactSha256,
    snapshot: deployment.snapshot,
    batches,
    bake_seconds: plan.bakeSeconds,
    max_failures: failureBudget(plan.instances.length, plan.maxFailures),
    approval: plan.approval,
    timeout_seconds: plan.timeoutSeconds,
    retry_count: plan.retryCount,
  });
  const lastGood = await tx.rows<{ id: string; last_good_release_id: string | null }>(
    'SELECT id, last_good_release_id FROM targets WHERE id = ANY(?)',
    [plan.instances.map(({ targetId }) => targetId)],
  );
  await tx.knex('release_instances').insert(
    plan.instances.map((instance, position) => ({
      id: newId('ins'),
      release_id: id,
      deployment_id: deployment.id,
      target_id: instance.targetId,
      content_release_id: instance.contentReleaseId ?? id,
      instance_id: instance.instanceId,
      batch: batchOf(position, batches),
      position,
      from_release_id:
        lastGood.find((target) => target.id === instance.targetId)?.last_good_release_id ?? null,
    })),
  );
  tx.event({
    stream: deployment.id,
    type: 'release.created',
    subject: id,
    data: { task_id: task.id, instances: plan.instances.length, batches },
  });
}

export async function stageInstances(
  tx: Transaction,
  deployment: DeploymentRow,
  { releaseId, instanceIds }: ChangeOf<'stage'>,
): Promise<void> {
  await dispatchInstances(tx, deployment, releaseId, instanceIds, 'staging');
}

export async function switchInstances(
  tx: Transaction,
  deployment: DeploymentRow,
  { releaseId, instanceIds, batch }: ChangeOf<'switch'>,
): Promise<void> {
  tx.event({
    stream: deployment.id,
    type: 'release.batch_started',
    subject: releaseId,
    data: { batch },
  });
  await tx.execute("UPDATE deployments SET waiting_for = '', deadline_at = NULL WHERE id = ?", [
    deployment.id,
  ]);
  await tx.execute('UPDATE releases SET bake_until = NULL WHERE id = ?', [releaseId]);
  await dispatchInstances(tx, deployment, releaseId, instanceIds, 'switching');
}

/** Hands instances to the deployers, with the deadline for one to take them. */
async function dispatchInstances(
  tx: Transaction,
  deployment: DeploymentRow,
  releaseId: string,
  instanceIds: string[],
  status: 'staging' | 'switching',
): Promise<void> {
  const kind = status === 'staging' ? 'stage-instance' : 'switch-instance';
  const deadline = new Date((await tx.now()).getTime() + waitForDeployerSeconds * 1000);
  for (const id of instanceIds) {
    const changed = await setStatus(tx, 'instance', id, status, {
      started_at: null,
      deadline_at: deadline,
    });
    if (!changed) continue;
    const instance = await tx.row<InstanceRow>('SELECT * FROM release_instances WHERE id = ?', [
      id,
    ]);
    if (!instance) continue;
    tx.send(kind, { instance_id: id, target_id: instance.target_id, deployment_id: deployment.id });
    tx.event({
      stream: deployment.id,
      type: `instance.${status}`,
      subject: id,
      data: { instance_id: instance.instance_id, release_id: releaseId },
    });
  }
  await tx.execute('UPDATE releases SET advanced_at = now(), updated_at = now() WHERE id = ?', [
    releaseId,
  ]);
  tx.send('advance-deployment', { deployment_id: deployment.id }, deadline);
}

export async function bakeRelease(
  tx: Transaction,
  deployment: DeploymentRow,
  { releaseId, until }: ChangeOf<'bake'>,
): Promise<void> {
  await tx.execute('UPDATE releases SET bake_until = ?, updated_at = now() WHERE id = ?', [
    new Date(until),
    releaseId,
  ]);
  tx.send('advance-deployment', { deployment_id: deployment.id }, new Date(until));
  tx.event({
    stream: deployment.id,
    type: 'release.baking',
    subject: releaseId,
    data: { until: new Date(until).toISOString() },
  });
}

export async function endRelease(
  tx: Transaction,
  deployment: DeploymentRow,
  { releaseId, status, message }: ChangeOf<'end-release'>,
): Promise<void> {
  const changed = await setStatus(tx, 'release', releaseId, status, { error_message: message });
  if (!changed) return;
  tx.event({
    stream: deployment.id,
    type: `release.${status}`,
    subject: releaseId,
    data: { message },
  });
}
