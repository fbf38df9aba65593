import { EmptyRequest, Workflow } from '@floy/contracts';
import { readWorkflow } from '@floy/database/read-models/workflows';
import { route } from './route.js';

const tag = 'Workflows';

export const workflowRoutes = [
  route({
    method: 'GET',
    path: '/workflows/{id}',
    role: 'viewer',
    summary: 'A workflow with its tasks',
    tag,
    answer: Workflow,
    handle: async ({ knex }, { params }) => ({ body: await readWorkflow(knex, params.id) }),
  }),
  route({
    method: 'POST',
    path: '/workflows/{id}/cancel',
    role: 'deployer',
    summary: 'Cancel the deployment that a workflow carries out',
    tag,
    body: EmptyRequest,
    answer: Workflow,
    async handle({ workflowManager, knex, actor }, { params }) {
      await workflowManager.cancelWorkflow(actor, params.id);
      return { body: await readWorkflow(knex, params.id) };
    },
  }),
  route({
    method: 'POST',
    path: '/workflows/{id}/retry',
    role: 'deployer',
    summary: 'Retry every failed task of a workflow',
    tag,
    body: EmptyRequest,
    answer: Workflow,
    async handle({ workflowManager, knex, actor }, { params }) {
      await readWorkflow(knex, params.id);
      await workflowManager.retryFailedTasks(actor, params.id);
      return { body: await readWorkflow(knex, params.id) };
    },
  }),
];
