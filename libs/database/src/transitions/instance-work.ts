import { LeaseLostError } from '@floy/domain';
import type { Database } from '../database.js';
import type { Lease } from '../leases.js';
import type { InstanceRow } from '../rows.js';
import { changesOf, rowOf, type Statement } from '../statement.js';
import type { Transaction } from '../transaction.js';
import { advanceDeployment } from './advance.js';
import { endInstance, stopInstance } from './instance-changes.js';
import { lockDeployment, lockingDeployment } from './load-tree.js';
import { setStatus } from './set-status.js';

export type InstanceWork = 'staging' | 'switching';

/** Which instance work is about. */
export interface InstanceWorkIds {
  readonly deploymentId: string;
  readonly instanceId: string;
}

/** What a deployer saw on the target when its work ended. */
export interface Observation {
  /** The release that is current there; null where none is, or none that Floy made. */
  readonly releaseId: string | null;
  /** The new release, another one, or null where what serves cannot be told. */
  readonly observed: 'new' | 'other' | null;
  /** What was asked to see that, for people; where it is left out, what was asked before stays. */
  readonly asked?: string;
}

/**
 * A deployer begins (or takes over) the work on an instance. False where there is nothing left to
 * do: it has moved on, ended, or is being stopped.
 */
export async function beginInstance(
  tx: Transaction,
  ids: InstanceWorkIds,
  work: InstanceWork,
): Promise<boolean> {
  const [deployment, instance] = await tx.together(
    lockingDeployment(ids.deploymentId),
    rowOf<InstanceRow>(
      // The release advances with each that begins, however long those before it took.
      `WITH advanced AS (
       UPDATE releases SET advanced_at = now() WHERE id =
         (SELECT release_id FROM release_instances WHERE id = ? AND status = ? AND NOT stopping)
     )
     UPDATE release_instances i
     SET begun_at = coalesce(i.begun_at, now()), started_at = coalesce(i.started_at, now()),
         attempts = attempts + 1, unreachable = '', updated_at = now(),
         deadline_at = CASE WHEN i.started_at IS NULL THEN now() + make_interval(secs => r.timeout_seconds) ELSE i.deadline_at END
     FROM releases r
     WHERE i.id = ? AND r.id = i.release_id AND i.status = ? AND NOT i.stopping
     RETURNING i.*`,
      [ids.instanceId, work, ids.instanceId, work],
    ),
  );
  if (!deployment || !instance) return false;
  if (instance.attempts === 1) {
    const subject = instance.release_id;
    if (await setStatus(tx, 'release', subject, 'in_progress'))
      tx.event({ stream: deployment.id, type: 'release.in_progress', subject });
  }
  if (instance.deadline_at)
    tx.send('advance-deployment', { deployment_id: deployment.id }, instance.deadline_at);
  return true;
}

/**
 * Records that a step is about to begin on the target, if the lease is still ours (law 6): what had
 * not got this far when a cancel committed never begins. One statement, outside any transaction.
 */
export async function beginStep(
  database: Database,
  lease: Lease,
  instanceId: string,
  step: { name: string; touches: boolean },
): Promise<void> {
  // Instance before lease, like a cancel: the other way round they would meet in a deadlock.
  const { rows } = await database.knex.raw<{ rows: unknown[] }>(
    `WITH instance AS MATERIALIZED (
       SELECT id FROM release_instances WHERE id = ? AND NOT stopping FOR NO KEY UPDATE
     ), lease AS MATERIALIZED (
       SELECT 1 FROM leases, instance
       WHERE subject = ? AND epoch = ? AND holder IS NOT NULL FOR SHARE OF leases
     )
     UPDATE release_instances i SET step = ?, touched = touched OR ?, updated_at = now()
     FROM instance, lease WHERE i.id = instance.id RETURNING 1`,
    [instanceId, lease.subject, lease.epoch, step.name, step.touches],
  );
  if (rows.length !== 1) throw new LeaseLostError(`the right to act on ${lease.subject} is gone`);
}

/** The work on an instance has ended; the fold decides what follows. */
export async function finishInstance(
  tx: Transaction,
  ids: InstanceWorkIds,
  result: {
    status: 'staged' | 'succeeded' | 'failed';
    message: string;
    observation: Observation | null;
    /** The release that was healthy there already and is the very same: nothing was touched. */
    found?: string;
  },
): Promise<void> {
  const { status, message, observation, found } = result;
  const deployment = await lockDeployment(tx, ids.deploymentId);
  if (!deployment) return;
  const { build } = tx;
  const changed = await setStatus(tx, 'instance', ids.instanceId, status, {
    error_message: message,
    step: '',
    deadline_at: null,
    ...(status === 'failed' ? { failed_step: build.ref('step') } : {}),
    ...(observation ? { observed: observation.observed } : {}),
    // What is there is what counts as put there: it is kept, returned to and looked at.
    ...(found === undefined ? {} : { content_release_id: found }),
  });
  if (!changed) return;
  const instance = await tx.row<InstanceRow>('SELECT * FROM release_instances WHERE id = ?', [
    ids.instanceId,
  ]);
  if (!instance) return;
  const { instance_id } = instance;
  const of = { stream: deployment.id, subject: ids.instanceId };
  if (status === 'failed')
    tx.event({ ...of, type: 'instance.failed', data: { instance_id, message } });
  else if (status === 'succeeded')
    tx.event({
      ...of,
      type: 'instance.succeeded',
      data: found === undefined ? { instance_id } : { instance_id, untouched: true },
    });
  else tx.event({ ...of, type: 'instance.staged', data: { instance_id } });
  await advanceDeployment(tx, deployment.id, [
    changesOf('UPDATE releases SET advanced_at = now(), updated_at = now() WHERE id = ?', [
      instance.release_id,
    ]),
    ...recordingObservation(instance, observation),
  ]);
}

/** The work on an instance is given up. What of it may still run on the target is ended first. */
export async function giveUpInstance(
  tx: Transaction,
  ids: InstanceWorkIds,
  message: string,
): Promise<void> {
  const deployment = await lockDeployment(tx, ids.deploymentId);
  if (!deployment) return;
  const { instanceId } = ids;
  const end = { do: 'end-instance', instanceId, status: 'failed', message } as const;
  if (!(await endInstance(tx, deployment, end))) return;
  await stopInstance(tx, deployment, instanceId);
  await advanceDeployment(tx, deployment.id);
}

/** Whether the running step of an instance is still to be ended. */
export async function isStopping(tx: Transaction, instanceId: string): Promise<boolean> {
  const sql = 'SELECT 1 FROM release_instances WHERE id = ? AND stopping';
  return (await tx.row(sql, [instanceId])) !== undefined;
}

/** What ran on the target has been ended, or could not be: `observation` is null then. */
export async function finishStop(
  tx: Transaction,
  ids: InstanceWorkIds,
  observation: Observation | null,
): Promise<void> {
  const [deployment, instance] = await tx.together(
    lockingDeployment(ids.deploymentId),
    rowOf<InstanceRow>(
      `UPDATE release_instances SET stopping = false, deadline_at = NULL, observed = ?, updated_at = now()
       WHERE id = ? AND stopping RETURNING *`,
      [observation?.observed ?? null, ids.instanceId],
    ),
  );
  if (!deployment || !instance) return;
  const of = { stream: deployment.id, subject: ids.instanceId };
  const data = { instance_id: instance.instance_id };
  if (observation) tx.event({ ...of, type: 'instance.stopped', data });
  // Where none ever began, no step can live on: nobody has to be woken for it.
  else if (instance.step !== '') tx.event({ ...of, type: 'instance.stop_failed', data });
  await advanceDeployment(tx, deployment.id, recordingObservation(instance, observation));
}

/** Keeps what was seen on the target, so that Postgres and the target agree about what runs there. */
export function recordingObservation(
  instance: InstanceRow,
  seen: Observation | null,
): Statement<number>[] {
  if (!seen) return [];
  return [
    changesOf(
      `UPDATE targets SET current_release_id = ?, observed_at = now(),
         asked = coalesce(?::text, asked) WHERE id = ?`,
      [seen.releaseId, seen.asked ?? null, instance.target_id],
    ),
    changesOf(
      `UPDATE release_instances
       SET observed_version = coalesce((SELECT version FROM releases WHERE id = ?), '')
       WHERE id = ?`,
      [seen.releaseId, instance.id],
    ),
  ];
}
