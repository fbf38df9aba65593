import type { PlannedTask } from '@floy/domain';
import { ConflictError } from '@floy/domain';
import { newId } from '../ids.js';
import type { DeploymentRow, ReleasePlan, TaskRow, TargetRow } from '../rows.js';
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

/**
 * Stores the tasks of a running deployment and hands out those that are ready, in one transaction.
 * On a retry the tasks are there already and keep their ids; their inputs are renewed.
 */
export async function planWorkflow(
  tx: Transaction,
  deployment: DeploymentRow,
  tasks: TaskToCreate[],
): Promise<void> {
  const workflow = await tx.row<{ id: string }>(
    'SELECT id FROM workflows WHERE deployment_id = ?',
    [deployment.id],
  );
  if (!workflow) throw new Error(`deployment ${deployment.id} has no workflow`);
  const existing = await tx.rows<TaskRow>(
    'SELECT * FROM tasks WHERE deployment_id = ? AND undo_of IS NULL',
    [deployment.id],
  );
  const ids = new Map(
    tasks.map((task) => [
      task.key,
      existing.find((row) => row.application_id === task.applicationId && row.type === task.type)
        ?.id ?? newId('task'),
    ]),
  );
  for (const [position, task] of tasks.entries()) {
    const id = ids.get(task.key) ?? newId('task');
    const columns = {
      depends_on: task.dependsOn.flatMap((key) => ids.get(key) ?? []),
      payload: JSON.stringify(task.payload),
      plan: task.plan ? JSON.stringify(task.plan) : null,
      timeout_seconds: task.timeoutSeconds,
    };
    if (existing.some((row) => row.id === id)) {
      await tx.knex('tasks').where({ id, status: 'pending' }).update(columns);
    } else {
      const key = {
        id,
        deployment_id: deployment.id,
        workflow_id: workflow.id,
        application_id: task.applicationId,
      };
      await tx.knex('tasks').insert({ ...key, type: task.type, position, ...columns });
      tx.event({
        stream: deployment.id,
        type: 'task.created',
        subject: id,
        data: { type: task.type },
      });
    }
    if (task.known) await useKnownResult(tx, deployment, id, task.known);
    if (task.refusal !== null) await refuseTask(tx, deployment, id, task.refusal);
  }
  await setStatus(tx, 'workflow', workflow.id, 'running');
  await advanceDeployment(tx, deployment.id);
}

async function refuseTask(
  tx: Transaction,
  deployment: DeploymentRow,
  id: string,
  message: string,
): Promise<void> {
  const now = await tx.now();
  await tx.execute('UPDATE tasks SET scheduled_at = ?, started_at = ? WHERE id = ?', [
    now,
    now,
    id,
  ]);
  await endTask(tx, deployment, {
    do: 'end-task',
    taskId: id,
    status: 'failed',
    message,
    notRun: false,
  });
}

async function useKnownResult(
  tx: Transaction,
  deployment: DeploymentRow,
  id: string,
  known: Record<string, unknown>,
): Promise<void> {
  const now = await tx.now();
  const result = JSON.stringify(known);
  const changed = await setStatus(tx, 'task', id, 'success', {
    result,
    scheduled_at: now,
    started_at: now,
  });
  if (changed) tx.event({ stream: deployment.id, type: 'task.success', subject: id, data: known });
}

/**
 * The targets of a service in an environment, made where they are new. A place on a host belongs to
 * one application in one environment, and an instance id to one place in the whole installation.
 */
export async function claimTargets(
  tx: Transaction,
  owner: { environmentId: string; applicationId: string },
  places: { instanceId: string; host: string; port: number; deployPath: string }[],
): Promise<TargetRow[]> {
  const targets: TargetRow[] = [];
  for (const place of [...places].sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1))) {
    const found = await findTarget(tx, owner, place);
    const columns = {
      host: place.host,
      port: place.port,
      deploy_path: place.deployPath,
      instance_id: place.instanceId,
    };
    if (found) {
      const [moved] = await tx
        .knex('targets')
        .where({ id: found.id })
        .update(columns)
        .returning<TargetRow[]>('*');
      targets.push(moved ?? found);
      continue;
    }
    const owned = { environment_id: owner.environmentId, application_id: owner.applicationId };
    const [made] = await tx
      .knex('targets')
      .insert({ id: newId('tgt'), ...columns, ...owned })
      .returning<TargetRow[]>('*');
    if (made) targets.push(made);
  }
  return places.flatMap(
    ({ instanceId }) => targets.find((target) => target.instance_id === instanceId) ?? [],
  );
}

/** The target of a place, unless the place or the instance's id belongs to somebody else. */
async function findTarget(
  tx: Transaction,
  owner: { environmentId: string; applicationId: string },
  place: { instanceId: string; host: string; port: number; deployPath: string },
): Promise<TargetRow | undefined> {
  const found = await tx.rows<TargetRow>(
    `SELECT * FROM targets WHERE (host = ? AND port = ? AND deploy_path = ?) OR instance_id = ?
     ORDER BY instance_id = ? DESC`,
    [place.host, place.port, place.deployPath, place.instanceId, place.instanceId],
  );
  for (const target of found) {
    const owned =
      target.environment_id === owner.environmentId &&
      target.application_id === owner.applicationId;
    if (owned && found.length === 1) return target;
    const what =
      target.instance_id === place.instanceId
        ? `The instance id ${place.instanceId}`
        : `${place.deployPath} on ${place.host}:${place.port}`;
    throw new ConflictError(
      `${what} is used already: by instance ${target.instance_id} of application ` +
        `${target.application_id} in environment ${target.environment_id}`,
    );
  }
  return undefined;
}
