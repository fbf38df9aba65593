import type { Task, Workflow } from '@floy/contracts';
import type { Knex } from 'knex';
import { findById, found } from '../repositories/find.js';
import type { WorkflowRow } from '../rows.js';
import { readDeployment } from '../repositories/deployments.js';
import { tasksOfDeployment } from './tasks.js';

/** A workflow with its tasks. Throws NotFoundError. */
export async function readWorkflow(knex: Knex, id: string): Promise<Workflow> {
  const row = await findById<WorkflowRow>(knex('workflows').where({ id }), 'wf', 'workflow', id);
  return withTasks(knex, row);
}

/** The workflow of a deployment. Throws NotFoundError, also while it has not been planned yet. */
export async function readWorkflowOf(knex: Knex, deploymentId: string): Promise<Workflow> {
  const deployment = await readDeployment(knex, deploymentId);
  const rows = (await knex('workflows').where({ deployment_id: deployment.id })) as WorkflowRow[];
  return withTasks(knex, found(rows[0], 'workflow yet of deployment', deployment.id));
}

async function withTasks(knex: Knex, row: WorkflowRow): Promise<Workflow> {
  return workflowOf(row, await tasksOfDeployment(knex, row.deployment_id));
}

/** The wire form of a row. */
export function workflowOf(row: WorkflowRow, tasks: Task[]): Workflow {
  return {
    id: row.id,
    deployment_id: row.deployment_id,
    tasks,
    status: row.status,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

/** The deployment that a workflow carries out. Throws NotFoundError. */
export async function deploymentOfWorkflow(knex: Knex, workflowId: string): Promise<string> {
  const query = knex('workflows').where({ id: workflowId });
  return (await findById<WorkflowRow>(query, 'wf', 'workflow', workflowId)).deployment_id;
}
