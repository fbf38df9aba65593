import {
  EmptyRequest,
  ListTasksRequest,
  Task,
  TaskListResponse,
  TaskLogResponse,
  TaskLogsRequest,
} from '@floy/contracts';
import { readTaskLog } from '@floy/database/read-models/task-logs';
import { follow } from '../live/follow.js';
import { route } from './route.js';

const tag = 'Tasks';
/** How many lines one look at a log reads. */
const READ_AT_ONCE = 1000;

export const taskRoutes = [
  route({
    method: 'GET',
    path: '/tasks',
    role: 'viewer',
    summary: 'List tasks',
    tag,
    query: ListTasksRequest,
    answer: TaskListResponse,
    handle: async ({ tasks }, { query }) => ({ body: await tasks.getTaskList(query) }),
  }),
  route({
    method: 'GET',
    path: '/tasks/{id}',
    role: 'viewer',
    summary: 'Show a task',
    tag,
    answer: Task,
    handle: async ({ tasks }, { params }) => ({ body: await tasks.getTask(params.id) }),
  }),
  route({
    method: 'POST',
    path: '/tasks/{id}/retry',
    role: 'deployer',
    summary: 'Retry a failed task, and what was not run or was undone because of it',
    tag,
    body: EmptyRequest,
    answer: Task,
    handle: async ({ tasks, actor }, { params }) => ({
      body: await tasks.retryTask(actor, params.id),
    }),
  }),
  route({
    method: 'GET',
    path: '/tasks/{id}/logs',
    role: 'viewer',
    summary: 'What a task printed; live as text/event-stream',
    tag,
    query: TaskLogsRequest,
    answer: TaskLogResponse,
    streams: true,
    async handle(scope, { params: { id }, query, wantsStream, lastEventId }) {
      const { tasks, knex, deps, tokens, actor } = scope;
      const from = lastEventId ?? query.after ?? 0;
      const ended = async () => (await tasks.getTask(id)).completed_at !== null;
      const complete = await ended();
      if (!wantsStream) {
        const limit = query.limit ?? READ_AT_ONCE;
        const { lines, more } = await readTaskLog(knex, id, from, limit);
        return { body: { task_id: id, complete: complete && !more, lines } };
      }
      return {
        stream: (sink) =>
          follow(sink, {
            listener: deps.listener,
            allowed: () => tokens.isValid(actor.tokenId ?? ''),
            stream: id,
            from,
            read: async (after) => {
              const { lines, more } = await readTaskLog(knex, id, after, READ_AT_ONCE);
              return { items: lines, more };
            },
            numberOf: ({ seq }) => seq,
            ended,
          }),
      };
    },
  }),
];
