import type { Task, Workflow, WorkflowStatus } from '@floy/contracts';
import type { Knex } from 'knex';
import { findById, found } from '../repositories/find.js';
import { readDeployment } from '../repositories/deployments.js';
import { tasksOfDeployment } from '../repositories/tasks.js';

interface WorkflowRow {
  readonly id: string;
  readonly deployment_id: string;
  readonly status: WorkflowStatus;
  readonly created_at: Date;
  readonly updated_at: Date;
}

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

/** The workflow of a deployment that has one, in one trip. Throws NotFoundError. */
export async function readPlannedWorkflow(knex: Knex, deploymentId: string): Promise<Workflow> {
  const [rows, tasks] = await Promise.all([
    knex<WorkflowRow>('workflows').where({ deployment_id: deploymentId }).select('*'),
    tasksOfDeployment(knex, deploymentId),
  ]);
  const row = found((rows as WorkflowRow[])[0], 'workflow of deployment', deploymentId);
  return workflowOf(row, tasks);
}

async function withTasks(knex: Knex, row: WorkflowRow): Promise<Workflow> {
  return workflowOf(row, await tasksOfDeployment(knex, row.deployment_id));
}

function workflowOf(row: WorkflowRow, tasks: Task[]): Workflow {
  return {
    id: row.id,
    deployment_id: row.deployment_id,
    tasks,
    status: row.status,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}
