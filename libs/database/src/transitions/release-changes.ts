import { deployerOf } from '@floy/contracts';
import { batchOf, batchSizes, failureBudget } from '@floy/domain';
import { newId } from '../ids.js';
import type { DeploymentRow, ReleaseRow, TaskRow } from '../rows.js';
import { builtChangesOf, changesOf, rowOf, type Statement } from '../statement.js';
import type { Transaction } from '../transaction.js';
import type { ChangeOf } from './change-of.js';
import { setStatus, settingStatusOfAll } from './set-status.js';

/** How long work may wait for a deployer to take it. Seconds. */
export const waitForDeployerSeconds = 3600;

/** Makes the release of a deploy task that is ready: its row and one row per instance. */
export function creatingRelease(
  tx: Transaction,
  deployment: DeploymentRow,
  task: TaskRow,
  built: Pick<ReleaseRow, 'artifact_sha256' | 'image'> | undefined,
): Statement<number>[] {
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
    deployer: plan.deployer,
    version_id: plan.versionId,
    version: plan.version,
    service: plan.service,
    undo: task.undo_of !== null,
    round: deployment.round,
    artifact_sha256: built?.artifact_sha256 ?? null,
    image: built?.image ?? null,
    snapshot: deployment.snapshot,
    batches,
    bake_seconds: plan.bakeSeconds,
    max_failures: failureBudget(plan.instances.length, plan.maxFailures),
    approval: plan.approval,
    run_once: plan.runOnce,
    timeout_seconds: plan.timeoutSeconds,
    retry_count: plan.retryCount,
    files_at: tx.build.raw(
      `greatest(date_trunc('second', clock_timestamp()),
         (SELECT max(files_at) + interval '1 second' FROM releases
          WHERE application_id = ? AND environment_id = ?))`,
      [task.application_id, plan.environmentId],
    ),
  });
  const { instances } = plan;
  tx.event({
    stream: deployment.id,
    type: 'release.created',
    subject: id,
    data: { task_id: task.id, instances: instances.length, batches },
  });
  return [
    builtChangesOf(release),
    changesOf(
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
  ];
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
  const of = { stream: deployment.id, subject: releaseId };
  tx.event({ ...of, type: 'release.batch_started', data: { batch } });
  await dispatchInstances(tx, deployment, releaseId, instanceIds, 'switching', [
    changesOf("UPDATE deployments SET waiting_for = '', deadline_at = NULL WHERE id = ?", [
      deployment.id,
    ]),
    // The time that an undo waits for what is out of reach is over once and for all.
    changesOf(
      `UPDATE releases SET looked = false, bake_until = CASE WHEN undo THEN bake_until END
       WHERE id = ?`,
      [releaseId],
    ),
    // A promotion makes one batch of several: how many were switched at once is what an undo keeps to.
    changesOf('UPDATE release_instances SET batch = ? WHERE id = ANY(?)', [batch, instanceIds]),
  ]);
}

/**
 * Hands instances to the release's deployer, with the deadline for a worker of it to take them.
 * `first` travels along, before.
 */
async function dispatchInstances(
  tx: Transaction,
  deployment: DeploymentRow,
  releaseId: string,
  instanceIds: string[],
  status: 'staging' | 'switching',
  first: readonly Statement<number>[] = [],
): Promise<void> {
  const until = tx.build.raw('now() + make_interval(secs => ?)', [waitForDeployerSeconds]);
  const columns = { started_at: null, deadline_at: until };
  const answer = ['target_id', 'instance_id'] as const;
  const [release, dispatched] = await tx.together(
    rowOf<Pick<ReleaseRow, 'deployer'> & { now: Date }>(
      `UPDATE releases SET advanced_at = now(), updated_at = now() WHERE id = ?
       RETURNING deployer, now()`,
      [releaseId],
    ),
    settingStatusOfAll(tx, 'instance', instanceIds, status, columns, answer),
    ...first,
  );
  if (!release) throw new Error(`there is no release ${releaseId}`);
  const deadline = new Date(release.now.getTime() + waitForDeployerSeconds * 1000);
  const { messages } = deployerOf(tx.deployers, release.deployer);
  const kind = status === 'staging' ? messages.stage : messages.switch;
  for (const { id, target_id, instance_id } of dispatched) {
    tx.send(kind, { instance_id: id, target_id, deployment_id: deployment.id });
    const data = { instance_id, release_id: releaseId };
    tx.event({ stream: deployment.id, type: `instance.${status}`, subject: id, data });
  }
  tx.send('advance-deployment', { deployment_id: deployment.id }, deadline);
}

export async function bakeRelease(
  tx: Transaction,
  deployment: DeploymentRow,
  { releaseId, until }: ChangeOf<'bake'>,
): Promise<void> {
  await waitUntil(tx, deployment, releaseId, until);
  const data = { until: new Date(until).toISOString() };
  tx.event({ stream: deployment.id, type: 'release.baking', subject: releaseId, data });
}

export async function holdRelease(
  tx: Transaction,
  deployment: DeploymentRow,
  { releaseId, until }: ChangeOf<'hold'>,
): Promise<void> {
  await waitUntil(tx, deployment, releaseId, until);
}

async function waitUntil(
  tx: Transaction,
  deployment: DeploymentRow,
  releaseId: string,
  until: number,
): Promise<void> {
  const at = new Date(until);
  await tx.execute('UPDATE releases SET bake_until = ?, updated_at = now() WHERE id = ?', [
    at,
    releaseId,
  ]);
  tx.send('advance-deployment', { deployment_id: deployment.id }, at);
}

export async function endRelease(
  tx: Transaction,
  deployment: DeploymentRow,
  { releaseId, status, message }: ChangeOf<'end-release'>,
): Promise<void> {
  const changed = await setStatus(tx, 'release', releaseId, status, { error_message: message });
  if (!changed) return;
  const of = { stream: deployment.id, subject: releaseId };
  tx.event({ ...of, type: `release.${status}`, data: { message } });
}
