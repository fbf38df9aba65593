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

/** A locked deployment as the fold sees it. */
export async function loadTree(
  tx: Transaction,
  deployment: DeploymentRow,
): Promise<DeploymentTree> {
  const { id, round } = deployment;
  const workflow = await tx.row<{ id: string; status: 'pending' }>(
    'SELECT id, status FROM workflows WHERE deployment_id = ?',
    [id],
  );
  const tasks = workflow
    ? await tx.rows<TaskRow>(
        'SELECT * FROM tasks WHERE deployment_id = ? AND (undo_of IS NULL OR round = ?) ORDER BY position',
        [id, round],
      )
    : [];
  const releases = workflow
    ? await tx.rows<ReleaseRow>(
        'SELECT * FROM releases WHERE deployment_id = ? AND round = ? ORDER BY id',
        [id, round],
      )
    : [];
  const instances =
    releases.length > 0
      ? await tx.rows<InstanceRow>(
          'SELECT * FROM release_instances WHERE deployment_id = ? AND release_id = ANY(?) ORDER BY position',
          [id, releases.map((release) => release.id)],
        )
      : [];
  return {
    deployment: {
      id,
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

function releaseNode(release: ReleaseRow, instances: InstanceRow[]): ReleaseNode {
  return {
    id: release.id,
    taskId: release.task_id,
    status: release.status,
    undo: release.undo,
    batches: release.batches,
    bakeSeconds: release.bake_seconds,
    maxFailures: release.max_failures,
    approval: release.approval,
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
