import type { DeploymentTree, InstanceNode, ReleaseNode } from '@floy/domain';
import type { Transaction } from '../transaction.js';
import type { DeploymentRow, InstanceRow, ReleaseRow, TaskRow } from '../rows.js';

/**
 * Locks a deployment, and with it everything below: whoever ends a part goes through this row, so
 * nothing below changes while the lock is held. Undefined where there is no such deployment.
 */
export async function lockDeployment(
  tx: Transaction,
  id: string,
): Promise<DeploymentRow | undefined> {
  return tx.row<DeploymentRow>('SELECT * FROM deployments WHERE id = ? FOR NO KEY UPDATE', [id]);
}

/**
 * Locks a deployment and reads everything below it, as the fold sees it: nothing where it is done. One trip: each statement
 * sees what was committed when it began, and those that read begin when the lock is held.
 */
export async function lockTree(
  tx: Transaction,
  id: string,
): Promise<{ deployment: DeploymentRow; tree: DeploymentTree } | undefined> {
  const [deployment, workflow, tasks, releases, instances] = await Promise.all([
    lockDeployment(tx, id),
    tx.row<{ id: string; status: 'pending' }>(
      'SELECT id, status FROM workflows WHERE deployment_id = ?',
      [id],
    ),
    tx.rows<TaskRow>(
      `SELECT t.* FROM tasks t JOIN deployments d ON d.id = t.deployment_id
       WHERE d.id = ? AND d.phase <> 'done' AND (t.undo_of IS NULL OR t.round = d.round) ORDER BY t.position`,
      [id],
    ),
    tx.rows<SeenRelease>(
      `SELECT r.id, r.task_id, r.status, r.undo, r.batches, r.bake_seconds, r.max_failures,
              r.approval, r.run_once, r.timeout_seconds, r.bake_until, r.advanced_at, r.error_message
       FROM releases r JOIN deployments d ON d.id = r.deployment_id AND r.round = d.round
       WHERE d.id = ? AND d.phase <> 'done' ORDER BY r.id`,
      [id],
    ),
    tx.rows<InstanceRow>(
      `SELECT i.* FROM release_instances i JOIN releases r ON r.id = i.release_id
       JOIN deployments d ON d.id = r.deployment_id AND r.round = d.round
       WHERE i.deployment_id = ? AND d.phase <> 'done' ORDER BY i.position`,
      [id],
    ),
  ]);
  if (!deployment) return undefined;
  return { deployment, tree: treeOf(deployment, workflow, tasks, releases, instances) };
}

/** The columns of a release that the fold looks at: not its sealed snapshot. */
type SeenRelease = Omit<
  ReleaseRow,
  | 'deployment_id'
  | 'application_id'
  | 'environment_id'
  | 'version_id'
  | 'service'
  | 'round'
  | 'artifact_sha256'
  | 'snapshot'
  | 'retry_count'
>;

function treeOf(
  deployment: DeploymentRow,
  workflow: { id: string; status: 'pending' } | undefined,
  tasks: readonly TaskRow[],
  releases: readonly SeenRelease[],
  instances: readonly InstanceRow[],
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
      deadlineAt: millis(deployment.deadline_at),
      waitingFor: deployment.waiting_for,
    },
    workflow: workflow ?? null,
    tasks: tasks.map((task) => ({
      id: task.id,
      type: task.type,
      applicationId: task.application_id,
      status: task.status,
      dependsOn: task.depends_on,
      undoOf: task.undo_of,
      scheduled: task.scheduled_at !== null,
      errorMessage: failureOf(task),
      deadlineAt: millis(task.deadline_at),
    })),
    releases: releases.map((release) => releaseNode(release, instances)),
  };
}

function releaseNode(release: SeenRelease, instances: readonly InstanceRow[]): ReleaseNode {
  return {
    id: release.id,
    taskId: release.task_id,
    status: release.status,
    undo: release.undo,
    batches: release.batches,
    bakeSeconds: release.bake_seconds,
    maxFailures: release.max_failures,
    approval: release.approval,
    runOnce: release.run_once,
    timeoutSeconds: release.timeout_seconds,
    bakeUntil: millis(release.bake_until),
    advancedAt: release.advanced_at.getTime(),
    errorMessage: release.error_message,
    instances: instances.filter(({ release_id }) => release_id === release.id).map(instanceNode),
  };
}

function instanceNode(instance: InstanceRow): InstanceNode {
  return {
    id: instance.id,
    targetId: instance.target_id,
    batch: instance.batch,
    status: instance.status,
    touched: instance.touched,
    verdict: instance.verdict,
    stopping: instance.stopping,
    hasLastGood: instance.from_release_id !== null,
    errorMessage: instance.error_message,
    observed: instance.observed,
    started: instance.started_at !== null,
    deadlineAt: millis(instance.deadline_at),
  };
}

function millis(date: Date | null): number | null {
  return date === null ? null : date.getTime();
}

function failureOf(task: TaskRow): string {
  if (task.status !== 'failed' || task.result === '') return '';
  return (JSON.parse(task.result) as { message?: string }).message ?? '';
}
