import type { Task } from '@floy/contracts';
import type { Knex } from 'knex';
import type { TaskRow } from '../rows.js';
import { findById } from '../repositories/find.js';

/** The tasks of a deployment, in the order in which they were planned; of undos those of its round. */
export async function tasksOfDeployment(knex: Knex, deploymentId: string): Promise<Task[]> {
  const rows = await knex<TaskRow>('tasks')
    .where({ deployment_id: deploymentId })
    .whereRaw(
      '(undo_of IS NULL OR round = (SELECT round FROM deployments WHERE id = deployment_id))',
    )
    .orderBy(['position', 'created_at', 'id'])
    .select('*');
  return (rows as TaskRow[]).map(taskOf);
}

/** A task as the API shows it. Throws NotFoundError. */
export async function readTask(knex: Knex, id: string): Promise<Task> {
  const query = knex('tasks').where({ id });
  return taskOf(await findById<TaskRow>(query, 'task', 'task', id));
}

/** The wire form of a row. */
export function taskOf(row: TaskRow): Task {
  return {
    id: row.id,
    deployment_id: row.deployment_id,
    type: row.type,
    status: row.status,
    payload: row.payload,
    result: row.result,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    scheduled_at: row.scheduled_at?.toISOString() ?? null,
    started_at: row.started_at?.toISOString() ?? null,
    completed_at: row.completed_at?.toISOString() ?? null,
    application_id: row.application_id,
    workflow_id: row.workflow_id,
    depends_on: row.depends_on,
    undo_of: row.undo_of,
    not_run: row.not_run,
  };
}
