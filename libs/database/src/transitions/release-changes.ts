import { batchOf, batchSizes, failureBudget, type Change } from '@floy/domain';
import { newId } from '../ids.js';
import type { DeploymentRow, TaskRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { setStatus, setStatusOfAll } from './set-status.js';

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
  const release = tx.build('releases').insert({
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
    run_once: plan.runOnce ?? false,
    timeout_seconds: plan.timeoutSeconds,
    retry_count: plan.retryCount,
  });
  const { instances } = plan;
  await Promise.all([
    tx.built(release),
    tx.execute(
      `INSERT INTO release_instances (id, release_id, deployment_id, target_id, content_release_id,
                                      instance_id, batch, position, from_release_id)
       SELECT i.id, ?, ?, i.target_id, i.content_release_id, i.instance_id, i.batch, i.position - 1,
              t.last_good_release_id
       FROM unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::int[])
              WITH ORDINALITY AS i(id, target_id, content_release_id, instance_id, batch, position)
       LEFT JOIN targets t ON t.id = i.target_id`,
      [
        id,
        deployment.id,
        instances.map(() => newId('ins')),
        instances.map(({ targetId }) => targetId),
        instances.map(({ contentReleaseId }) => contentReleaseId ?? id),
        instances.map(({ instanceId }) => instanceId),
        instances.map((_, position) => batchOf(position, batches)),
      ],
    ),
  ]);
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
  await Promise.all([
    tx.execute("UPDATE deployments SET waiting_for = '', deadline_at = NULL WHERE id = ?", [
      deployment.id,
    ]),
    tx.execute('UPDATE releases SET bake_until = NULL WHERE id = ?', [releaseId]),
    dispatchInstances(tx, deployment, releaseId, instanceIds, 'switching'),
  ]);
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
  const columns = { started_at: null, deadline_at: deadline };
  const [dispatched] = await Promise.all([
    setStatusOfAll(tx, 'instance', instanceIds, status, columns, ['target_id', 'instance_id']),
    tx.execute('UPDATE releases SET advanced_at = now(), updated_at = now() WHERE id = ?', [
      releaseId,
    ]),
  ]);
  for (const { id, target_id, instance_id } of dispatched) {
    tx.send(kind, { instance_id: id, target_id, deployment_id: deployment.id });
    tx.event({
      stream: deployment.id,
      type: `instance.${status}`,
      subject: id,
      data: { instance_id, release_id: releaseId },
    });
  }
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
