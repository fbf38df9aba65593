import { Type, type Static } from 'typebox';
import { Answer, Timestamp, Words } from '../schema-words.js';
import { Task } from './task.js';

export const WorkflowStatus = Words(['pending', 'running', 'success', 'failed', 'cancelled']);
export type WorkflowStatus = Static<typeof WorkflowStatus>;

/** How one deployment is carried out: a DAG of tasks. */
export const Workflow = Answer('Workflow', {
  id: Type.String(),
  deployment_id: Type.String(),
  tasks: Type.Array(Task),
  status: WorkflowStatus,
  created_at: Timestamp,
  updated_at: Timestamp,
});
export type Workflow = Static<typeof Workflow>;
