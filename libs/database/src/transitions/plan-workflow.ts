import type { TaskKept, Workflow } from '@floy/contracts';
import { NotFoundError, type PlannedTask, type WorkflowStatus } from '@floy/domain';
import { newId } from '../ids.js';
import { taskOf } from '../read-models/tasks.js';
import { workflowOf } from '../read-models/workflows.js';
import type { DeploymentRow, ReleasePlan, TaskRow, WorkflowRow } from '../rows.js';
import { builtChangesOf, changesOf, reading, rowOf, rowsOf, type Statement } from '../statement.js';
import type { Transaction } from '../transaction.js';
import { advanceDeployment } from './advance.js';
import { endingTask } from './end-task.js';
import { lockingDeployment } from './load-tree.js';
import { reopeningTask } from './retry.js';
import { settingStatus } from './set-status.js';
import { withoutNulls } from './task-scheduler.js';

/** A planned task with what its worker has to know, as far as it is public. */
export interface TaskToCreate extends PlannedTask {
  readonly payload: Record<string, unknown>;
  /** A hash of what goes in. */
  readonly inputs: string;
  readonly timeoutSeconds: number;
  readonly plan: ReleasePlan | null;
  /** A build that need not be made again. */
  readonly known: KnownBuild | null;
  /** Why the task can never be carried out; it fails at once and says so. */
  readonly refusal: string | null;
}

/** What an earlier build with the same inputs has made. */
export interface KnownBuild {
  /** As the task shows it. */
  readonly result: Record<string, unknown>;
  readonly kept: TaskKept;
}

/** Makes the workflow of a deployment, unless it has one. */
export function makingWorkflow(deploymentId: string): Statement<number> {
  return changesOf(
    'INSERT INTO workflows (id, deployment_id) VALUES (?, ?) ON CONFLICT (deployment_id) DO NOTHING',
    [newId('wf'), deploymentId],
  );
}

/**
 * Makes the workflow of a deployment unless it has one, and answers it. Throws NotFoundError for a
 * deployment that does not exist.
 */
export async function makeWorkflow(tx: Transaction, deploymentId: string): Promise<Workflow> {
  const [deployment, , workflow, tasks] = await tx.together(
    lockingDeployment(deploymentId),
    changesOf(
      `INSERT INTO workflows (id, deployment_id) SELECT ?, id FROM deployments WHERE id = ?
       ON CONFLICT (deployment_id) DO NOTHING`,
      [newId('wf'), deploymentId],
    ),
    rowOf<WorkflowRow>('SELECT * FROM workflows WHERE deployment_id = ?', [deploymentId]),
    rowsOf<TaskRow>(
      'SELECT * FROM tasks WHERE deployment_id = ? AND undo_of IS NULL ORDER BY position',
      [deploymentId],
    ),
  );
  if (deployment && workflow) return workflowOf(workflow, tasks.map(taskOf));
  throw new NotFoundError(`There is no deployment ${deploymentId}`);
}

/**
 * Locks the deployment of a workflow that is still to be planned. Undefined where it was planned, or
 * has ended. Throws NotFoundError for a workflow that does not exist.
 */
export async function lockUnplanned(
  tx: Transaction,
  workflowId: string,
): Promise<DeploymentRow | undefined> {
  const row = await tx.row<DeploymentRow>(
    `SELECT d.* FROM deployments d JOIN workflows w ON w.deployment_id = d.id
     WHERE w.id = ? FOR NO KEY UPDATE OF d`,
    [workflowId],
  );
  if (!row) throw new NotFoundError(`There is no workflow ${workflowId}`);
  // Read behind the lock: a statement that waited for it still shows the workflow of before.
  const workflow = await tx.row<{ status: WorkflowStatus }>(
    'SELECT status FROM workflows WHERE id = ?',
    [workflowId],
  );
  return row.status === 'running' && workflow?.status === 'pending' ? row : undefined;
}

/**
 * Stores the tasks of a running deployment and hands out those that are ready, in one transaction.
 * On a retry the tasks are there already and keep their ids; their inputs are renewed.
 */
export async function planWorkflow(
  tx: Transaction,
  deployment: DeploymentRow,
  workflowId: string,
  tasks: readonly TaskToCreate[],
): Promise<void> {
  const existing = deployment.round > 1 ? await keepTasks(tx, deployment) : [];
  const before = new Map(
    tasks.flatMap((task) => {
      const row = existing.find(
        ({ application_id, type }) => application_id === task.applicationId && type === task.type,
      );
      return row ? [[task.key, row] as const] : [];
    }),
  );
  const ids = new Map(tasks.map(({ key }) => [key, before.get(key)?.id ?? newId('task')]));
  const repeated = new Set<string>();
  const stored = tasks.flatMap((task, position) => {
    const columns = {
      depends_on: task.dependsOn.flatMap((key) => ids.get(key) ?? []),
      payload: JSON.stringify(task.payload),
      inputs: task.inputs,
      plan: task.plan ? JSON.stringify(task.plan) : null,
      timeout_seconds: task.timeoutSeconds,
    };
    const known = before.get(task.key);
    if (known === undefined) {
      const id = ids.get(task.key)!;
      return [
        ...creatingTask(tx, deployment, task, {
          id,
          workflow_id: workflowId,
          position,
          ...columns,
        }),
        ...endingAtOnce(tx, deployment, id, task),
      ];
    }
    const repeats = inputsChanged(known, task, repeated);
    if (known.status === 'success' && !repeats) return [];
    if (repeats) repeated.add(task.key);
    const { id } = known;
    const renew = tx.build('tasks').where({ id, status: 'pending' }).update(columns);
    return [
      ...(repeats ? [reopeningTask(tx, id)] : []),
      builtChangesOf(renew),
      ...endingAtOnce(tx, deployment, id, task),
    ];
  });
  stored.push(
    settingStatus(tx, 'workflow', workflowId, 'running'),
    // From now on its parts have deadlines of their own.
    changesOf('UPDATE deployments SET deadline_at = NULL WHERE id = ?', [deployment.id]),
  );
  await advanceDeployment(tx, deployment.id, stored);
}

/**
 * The tasks that a retry keeps. The releases of those that had succeeded become part of its round:
 * should it fail, they are returned as well.
 */
async function keepTasks(tx: Transaction, deployment: DeploymentRow): Promise<TaskRow[]> {
  const [existing] = await tx.together(
    rowsOf<TaskRow>('SELECT * FROM tasks WHERE deployment_id = ? AND undo_of IS NULL', [
      deployment.id,
    ]),
    changesOf(
      `WITH kept AS (
         SELECT DISTINCT ON (r.task_id) r.id FROM releases r JOIN tasks t ON t.id = r.task_id
         WHERE r.deployment_id = ? AND NOT r.undo AND t.status = 'success' ORDER BY r.task_id, r.id DESC
       ), moved AS (
         UPDATE releases SET round = ? WHERE id IN (SELECT id FROM kept)
       )
       UPDATE release_instances SET verdict = NULL WHERE release_id IN (SELECT id FROM kept)`,
      [deployment.id, deployment.round],
    ),
  );
  return existing;
}

function creatingTask(
  tx: Transaction,
  deployment: DeploymentRow,
  { applicationId, type }: TaskToCreate,
  columns: { id: string } & Record<string, unknown>,
): Statement<unknown>[] {
  tx.event({
    stream: deployment.id,
    type: 'task.created',
    subject: columns.id,
    data: { type },
  });
  const row = { deployment_id: deployment.id, application_id: applicationId, type, ...columns };
  return [builtChangesOf(tx.build('tasks').insert({ ...row, created_at: tx.build.fn.now() }))];
}

/** Ends a task that is known already, or can never be carried out, as one that ran at once. */
function endingAtOnce(
  tx: Transaction,
  deployment: DeploymentRow,
  id: string,
  { known, refusal }: TaskToCreate,
): Statement<unknown>[] {
  const now = tx.build.fn.now();
  const times = { scheduled_at: now, started_at: now };
  if (refusal !== null) {
    const end = { taskId: id, status: 'failed', message: refusal, notRun: false } as const;
    return [endingTask(tx, deployment, end, times)];
  }
  if (known === null) return [];
  const columns = { result: JSON.stringify(known.result), ...known.kept, ...times };
  const { artifact_sha256: sha256, image, commit } = known.kept;
  const data = { ...withoutNulls({ sha256, image, commit }), reused: true };
  return [
    reading(settingStatus(tx, 'task', id, 'success', columns), (changed) => {
      if (!changed) return;
      tx.event({ stream: deployment.id, type: 'task.success', subject: id, data });
    }),
  ];
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
  return before.inputs !== task.inputs || task.dependsOn.some((key) => repeated.has(key));
}
