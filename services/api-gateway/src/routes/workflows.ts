import { EmptyRequest, Workflow } from '@floy/contracts';
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
    handle: async ({ workflows }, { params }) => ({ body: await workflows.getWorkflow(params.id) }),
  }),
  route({
    method: 'POST',
    path: '/workflows/{id}/cancel',
    role: 'deployer',
    summary: 'Cancel the deployment that a workflow carries out',
    tag,
    body: EmptyRequest,
    answer: Workflow,
    async handle({ workflows, actor }, { params }) {
      await workflows.cancelWorkflow(actor, params.id);
      return { body: await workflows.getWorkflow(params.id) };
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
    async handle({ workflows, actor }, { params }) {
      await workflows.retryFailedTasks(actor, params.id);
      return { body: await workflows.getWorkflow(params.id) };
    },
  }),
];
