import { Type, type Static } from 'typebox';
import {
  Answer,
  Closed,
  NullableText,
  NullableTimestamp,
  PageOf,
  Paging,
  RequiredText,
  Timestamp,
  Words,
} from '../schema-words.js';

export const TaskStatus = Words(['pending', 'running', 'success', 'failed']);
export type TaskStatus = Static<typeof TaskStatus>;

export const TaskType = Words(['build', 'test', 'deploy']);
export type TaskType = Static<typeof TaskType>;

/** One node of a workflow. `payload` and `result` are strings holding JSON. */
export const Task = Answer('Task', {
  id: Type.String(),
  deployment_id: Type.String(),
  type: TaskType,
  status: TaskStatus,
  payload: Type.String(),
  result: Type.String(),
  created_at: Timestamp,
  updated_at: Timestamp,
  /** When it was handed to whoever carries it out, or null. */
  scheduled_at: NullableTimestamp,
  started_at: NullableTimestamp,
  completed_at: NullableTimestamp,
  application_id: Type.String(),
  workflow_id: Type.String(),
  /** Tasks that have to succeed before this one begins. */
  depends_on: Type.Array(Type.String()),
  /** The deploy task that this one undoes, or null. */
  undo_of: NullableText,
  /** True for a task that was never reached. */
  not_run: Type.Boolean(),
});
export type Task = Static<typeof Task>;

export const ListTasksRequest = Closed(
  {
    deployment_id: Type.Optional(RequiredText),
    status: Type.Optional(TaskStatus),
    type: Type.Optional(TaskType),
    ...Paging,
  },
  'ListTasksRequest',
);
export type ListTasksRequest = Static<typeof ListTasksRequest>;

export const TaskListResponse = Answer('TaskListResponse', {
  tasks: Type.Array(Task),
  ...PageOf,
});
export type TaskListResponse = Static<typeof TaskListResponse>;

/** A piece of what a task printed. */
export const TaskLogLine = Answer('TaskLogLine', {
  seq: Type.Integer(),
  at: Timestamp,
  /** The instance or command that printed it, or "". */
  source: Type.String(),
  text: Type.String(),
});
export type TaskLogLine = Static<typeof TaskLogLine>;

export const TaskLogResponse = Answer('TaskLogResponse', {
  task_id: Type.String(),
  /** True when the task has ended and nothing will follow. */
  complete: Type.Boolean(),
  lines: Type.Array(TaskLogLine),
});
export type TaskLogResponse = Static<typeof TaskLogResponse>;

/** `after` continues behind the given line; `limit` bounds one answer, and so does its length. */
export const TaskLogsRequest = Closed(
  {
    after: Type.Optional(Type.Integer({ minimum: 0, default: 0 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 5000, default: 1000 })),
  },
  'TaskLogsRequest',
);
export type TaskLogsRequest = Static<typeof TaskLogsRequest>;
