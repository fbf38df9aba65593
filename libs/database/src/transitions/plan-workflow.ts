import type { PlannedTask } from '@floy/domain';
import { newId } from '../ids.js';
import type { DeploymentRow, ReleasePlan, TaskRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { advanceDeployment } from './advance.js';
import { setStatus } from './set-status.js';
import { endTask } from './task-changes.js';

/** A planned task with what its worker has to know, as far as it is public. */
export interface TaskToCreate extends PlannedTask {
  payload: Record<string, unknown>;
  timeoutSeconds: number;
  plan: ReleasePlan | null;
  /** The result of a build that need not be made again. */
  known: Record<string, unknown> | null;
  /** Why the task can never be carried out; it fails at once and says so. */
  refusal: string | null;
}

/** The workflow of a deployment, unless it has one. */
export async function makeWorkflow(tx: Transaction, deploymentId: string): Promise<void> {
  await tx.execute(
    'INSERT INTO workflows (id, deployment_id) VALUES (?, ?) ON CONFLICT (deployment_id) DO NOTHING',
    [newId('wf'), deploymentId],
  );
}

/**
 * Stores the tasks of a running deployment and hands out those that are ready, in one transaction.
 * On a retry the tasks are there already and keep their ids; their inputs are renewed.
 */
export async function planWorkflow(
  tx: Transaction,
  deployment: DeploymentRow,
  tasks: TaskToCreate[],
): Promise<void> {
  const [workflow, existing, now] = await Promise.all([
    tx.row<{ id: string }>('SELECT id FROM workflows WHERE deployment_id = ?', [deployment.id]),
    tx.rows<TaskRow>('SELECT * FROM tasks WHERE deployment_id = ? AND undo_of IS NULL', [
      deployment.id,
    ]),
    tx.now(),
    deployment.round > 1 && keepReleases(tx, deployment),
  ]);
  if (!workflow) throw new Error(`deployment ${deployment.id} has no workflow`);
  const ids = new Map(
    tasks.map((task) => [
      task.key,
      existing.find((row) => row.application_id === task.applicationId && row.type === task.type)
        ?.id ?? newId('task'),
    ]),
  );
  const repeated = new Set<string>();
  // Sent in this order and waited for at once, the first look of the fold included: nothing here
  // needs an answer of what was before it.
  const stored: Promise<unknown>[] = [];
  for (const [position, task] of tasks.entries()) {
    const id = ids.get(task.key) ?? newId('task');
    const columns = {
      depends_on: task.dependsOn.flatMap((key) => ids.get(key) ?? []),
      payload: JSON.stringify(task.payload),
      plan: task.plan ? JSON.stringify(task.plan) : null,
      timeout_seconds: task.timeoutSeconds,
    };
    const before = existing.find((row) => row.id === id);
    if (before) {
      const repeats = inputsChanged(before, task, repeated);
      if (before.status === 'success' && !repeats) continue;
      if (repeats) {
        repeated.add(task.key);
        stored.push(repeatTask(tx, before));
      }
      stored.push(tx.built(tx.build('tasks').where({ id, status: 'pending' }).update(columns)));
    } else {
      const key = {
        id,
        deployment_id: deployment.id,
        workflow_id: workflow.id,
        application_id: task.applicationId,
      };
      const row = { ...key, type: task.type, position, created_at: now, ...columns };
      stored.push(tx.built(tx.build('tasks').insert(row)));
      tx.event({
        stream: deployment.id,
        type: 'task.created',
        subject: id,
        data: { type: task.type },
      });
    }
    if (task.known) stored.push(useKnownResult(tx, deployment, id, task.known, now));
    if (task.refusal !== null) stored.push(refuseTask(tx, deployment, id, task.refusal, now));
  }
  stored.push(setStatus(tx, 'workflow', workflow.id, 'running'));
  await Promise.all([...stored, advanceDeployment(tx, deployment.id)]);
}

/** What a retry keeps becomes part of its round: should it fail, that is returned as well. */
async function keepReleases(tx: Transaction, deployment: DeploymentRow): Promise<void> {
  await tx.execute(
    `WITH kept AS (
       SELECT DISTINCT ON (r.task_id) r.id FROM releases r JOIN tasks t ON t.id = r.task_id
       WHERE r.deployment_id = ? AND NOT r.undo AND t.status = 'success' ORDER BY r.task_id, r.id DESC
     ), moved AS (
       UPDATE releases SET round = ? WHERE id IN (SELECT id FROM kept)
     )
     UPDATE release_instances SET verdict = NULL WHERE release_id IN (SELECT id FROM kept)`,
    [deployment.id, deployment.round],
  );
}

/** A finished build or test is repeated on a retry only where what goes into it changed. */
function inputsChanged(
  before: TaskRow,
  task: TaskToCreate,
  repeated: ReadonlySet<string>,
): boolean {
  if (before.status !== 'success' || task.type === 'deploy') return false;
  // What it made is not there any more.
  if (task.type === 'build' && task.known === null) return true;
  const changed = before.payload !== JSON.stringify(task.payload);
  return changed || task.dependsOn.some((key) => repeated.has(key));
}

async function repeatTask(tx: Transaction, task: TaskRow): Promise<void> {
  await setStatus(tx, 'task', task.id, 'pending', {
    result: '',
    scheduled_at: null,
    started_at: null,
    completed_at: null,
    deadline_at: null,
  });
}

/** Ends a task that can never be carried out as one that ran at once. */
async function refuseTask(
  tx: Transaction,
  deployment: DeploymentRow,
  id: string,
  message: string,
  now: Date,
): Promise<void> {
  const end = { do: 'end-task', taskId: id, status: 'failed', message, notRun: false } as const;
  await endTask(tx, deployment, end, { scheduled_at: now, started_at: now });
}

async function useKnownResult(
  tx: Transaction,
  deployment: DeploymentRow,
  id: string,
  known: Record<string, unknown>,
  now: Date,
): Promise<void> {
  const result = JSON.stringify(known);
  const changed = await setStatus(tx, 'task', id, 'success', {
    result,
    scheduled_at: now,
    started_at: now,
  });
  if (changed) tx.event({ stream: deployment.id, type: 'task.success', subject: id, data: known });
}
