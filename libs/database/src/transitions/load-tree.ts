import type { DeploymentTree, InstanceNode, ReleaseNode, WorkflowStatus } from '@floy/domain';
import type { DeploymentRow, ReleaseRow, TaskRow } from '../rows.js';
import { rowOf, rowsOf, type AnswersOf, type Statement } from '../statement.js';
import type { Transaction } from '../transaction.js';

/**
 * Locks a deployment, and with it everything below: whoever ends a part goes through this row, so
 * nothing below changes while the lock is held. Answers undefined where there is none.
 */
export function lockingDeployment(id: string): Statement<DeploymentRow | undefined> {
  return rowOf('SELECT * FROM deployments WHERE id = ? FOR NO KEY UPDATE', [id]);
}

/** Locks one deployment, alone. */
export async function lockDeployment(
  tx: Transaction,
  id: string,
): Promise<DeploymentRow | undefined> {
  const [deployment] = await tx.together(lockingDeployment(id));
  return deployment;
}

/** A deployment under its lock, with everything below it as the fold sees it. */
export interface LockedTree {
  readonly deployment: DeploymentRow;
  readonly tree: DeploymentTree;
  /** Postgres' clock when the transaction began. */
  readonly now: Date;
}

/**
 * The statements that lock a deployment and read everything below it: nothing where it is done. In
 * one trip each sees what was committed when it began, and those that read begin when the lock is
 * held. `treeOf` makes a tree of their answers.
 */
export function lockingTree(id: string) {
  return [
    lockingDeployment(id),
    rowOf<WorkflowSeen>(
      'SELECT now(), w.id, w.status FROM (SELECT 1) AS one LEFT JOIN workflows w ON w.deployment_id = ?',
      [id],
    ),
    rowsOf<TaskRow>(
      `SELECT t.* FROM tasks t JOIN deployments d ON d.id = t.deployment_id
       WHERE d.id = ? AND d.phase <> 'done' AND (t.undo_of IS NULL OR t.round = d.round) ORDER BY t.position`,
      [id],
    ),
    rowsOf<SeenRelease>(
      `SELECT r.id, r.task_id, r.status, r.undo, r.service, r.version, r.batches, r.bake_seconds,
              r.max_failures, r.approval, r.run_once, r.timeout_seconds, r.bake_until, r.looked,
              r.advanced_at, r.error_message
       FROM releases r JOIN deployments d ON d.id = r.deployment_id AND r.round = d.round
       WHERE d.id = ? AND d.phase <> 'done' ORDER BY r.id`,
      [id],
    ),
    rowOf<{ instances: SeenInstance[] | null }>(
      // One value instead of a row for each: hundreds of them are read whenever one has ended, and
      // a row costs ten times what its share of a JSON text does.
      `SELECT json_agg(json_build_object(
         'release', i.release_id, 'id', i.id, 'name', i.instance_id, 'targetId', i.target_id, 'batch', i.batch,
         'status', i.status, 'touched', i.touched, 'verdict', i.verdict, 'stopping', i.stopping,
         'looking', i.looking, 'sickened', i.sickened_at IS NOT NULL,
         'endedAt', trunc(extract(epoch FROM i.completed_at) * 1000),
         'hasLastGood', i.from_release_id IS NOT NULL, 'errorMessage', i.error_message,
         'observed', i.observed, 'started', i.started_at IS NOT NULL,
         'deadlineAt', trunc(extract(epoch FROM i.deadline_at) * 1000)) ORDER BY i.position) AS instances
       FROM release_instances i JOIN releases r ON r.id = i.release_id
       JOIN deployments d ON d.id = r.deployment_id AND r.round = d.round
       WHERE i.deployment_id = ? AND d.phase <> 'done'`,
      [id],
    ),
  ] as const;
}

/** Locks a deployment and reads everything below it. Undefined where there is none. */
export async function lockTree(tx: Transaction, id: string): Promise<LockedTree | undefined> {
  return treeOf(await tx.together(...lockingTree(id)));
}

/** Reads the answers of `lockingTree`. */
export function treeOf([deployment, workflow, tasks, releases, below]: AnswersOf<
  ReturnType<typeof lockingTree>
>): LockedTree | undefined {
  if (!deployment || !workflow) return undefined;
  const instances = below?.instances ?? [];
  const { id, status, now } = workflow;
  const planned = id !== null && status !== null ? { id, status } : null;
  return { deployment, now, tree: nodesOf(deployment, planned, tasks, releases, instances) };
}

interface WorkflowSeen {
  now: Date;
  id: string | null;
  status: WorkflowStatus | null;
}

/** The columns of a release that the fold looks at: not its sealed snapshot. */
type SeenRelease = Pick<
  ReleaseRow,
  | 'id'
  | 'task_id'
  | 'status'
  | 'undo'
  | 'service'
  | 'version'
  | 'batches'
  | 'bake_seconds'
  | 'max_failures'
  | 'approval'
  | 'run_once'
  | 'timeout_seconds'
  | 'bake_until'
  | 'looked'
  | 'advanced_at'
  | 'error_message'
>;

/** An instance as the fold looks at it, and the release that it belongs to. */
type SeenInstance = InstanceNode & { readonly release: string };

function nodesOf(
  deployment: DeploymentRow,
  workflow: DeploymentTree['workflow'],
  tasks: readonly TaskRow[],
  releases: readonly SeenRelease[],
  instances: readonly SeenInstance[],
): DeploymentTree {
  return {
    deployment: {
      id: deployment.id,
      status: deployment.status,
      phase: deployment.phase,
      autoRollback: deployment.auto_rollback,
      cancelled: deployment.cancelled,
      rollbackOnCancel: deployment.rollback_on_cancel,
      pausedAt: millis(deployment.paused_at),
      approved: deployment.approved,
      promoted: deployment.promoted,
      aborted: deployment.aborted,
      by: {
        approved: deployment.approved_by,
        aborted: deployment.aborted_by,
        paused: deployment.paused_by,
      },
      deadlineAt: millis(deployment.deadline_at),
      waitingFor: deployment.waiting_for,
    },
    workflow,
    tasks: tasks.map((task) => ({
      id: task.id,
      type: task.type,
      applicationId: task.application_id,
      status: task.status,
      dependsOn: task.depends_on,
      undoOf: task.undo_of,
      scheduled: task.scheduled_at !== null,
      errorMessage: task.error_message,
      deadlineAt: millis(task.deadline_at),
    })),
    releases: releases.map((release) => releaseNode(release, instances)),
  };
}

function releaseNode(release: SeenRelease, instances: readonly SeenInstance[]): ReleaseNode {
  return {
    id: release.id,
    taskId: release.task_id,
    status: release.status,
    undo: release.undo,
    service: release.service,
    version: release.version,
    batches: release.batches,
    bakeSeconds: release.bake_seconds,
    maxFailures: release.max_failures,
    approval: release.approval,
    runOnce: release.run_once,
    timeoutSeconds: release.timeout_seconds,
    bakeUntil: millis(release.bake_until),
    looked: release.looked,
    advancedAt: release.advanced_at.getTime(),
    errorMessage: release.error_message,
    instances: instances.filter((instance) => instance.release === release.id),
  };
}

function millis(date: Date | null): number | null {
  return date === null ? null : date.getTime();
}
