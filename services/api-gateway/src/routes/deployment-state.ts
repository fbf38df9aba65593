import {
  DeploymentInfo,
  DeploymentProgress,
  EventListResponse,
  HealthCheckResult,
  ListEventsRequest,
  Workflow,
} from '@floy/contracts';
import { readEvents } from '@floy/database/read-models/events';
import { readWorkflowOf } from '@floy/database/read-models/workflows';
import { follow } from '../live/follow.js';
import { route } from './route.js';

const tag = 'Deployments';
/** How many events one look at the history reads. */
const READ_AT_ONCE = 500;

export const deploymentStateRoutes = [
  route({
    method: 'GET',
    path: '/deployments/{id}/progress',
    role: 'viewer',
    summary: 'How far a deployment is',
    tag,
    answer: DeploymentProgress,
    handle: async ({ deploymentManager }, { params }) => ({
      body: await deploymentManager.getDeploymentProgress(params.id),
    }),
  }),
  route({
    method: 'GET',
    path: '/deployments/{id}/info',
    role: 'viewer',
    summary: 'How many instances there are, and how many are ready',
    tag,
    answer: DeploymentInfo,
    handle: async ({ deployer }, { params }) => ({
      body: await deployer.getDeploymentInfo(params.id),
    }),
  }),
  route({
    method: 'GET',
    path: '/deployments/{id}/health',
    role: 'viewer',
    summary: 'What was last seen of each instance',
    tag,
    answer: HealthCheckResult,
    handle: async ({ deployer }, { params }) => ({ body: await deployer.healthCheck(params.id) }),
  }),
  route({
    method: 'GET',
    path: '/deployments/{id}/workflow',
    role: 'viewer',
    summary: 'The workflow of a deployment with its tasks',
    tag,
    answer: Workflow,
    handle: async ({ knex }, { params }) => ({ body: await readWorkflowOf(knex, params.id) }),
  }),
  route({
    method: 'GET',
    path: '/deployments/{id}/events',
    role: 'viewer',
    summary: 'The history of a deployment; live as text/event-stream',
    tag,
    query: ListEventsRequest,
    answer: EventListResponse,
    streams: true,
    async handle(scope, { params: { id }, query, wantsStream, lastEventId }) {
      const { deployments, knex, deps, tokens, actor, role } = scope;
      await deployments.getDeployment(id);
      const from = lastEventId ?? query.after ?? 0;
      if (!wantsStream) {
        const limit = query.limit ?? READ_AT_ONCE;
        return { body: { events: await readEvents(knex, id, role, from, limit) } };
      }
      return {
        stream: (sink) =>
          follow(sink, {
            listener: deps.listener,
            allowed: () => tokens.isValid(actor.tokenId ?? ''),
            stream: id,
            from,
            read: async (after) => {
              const items = await readEvents(knex, id, role, after, READ_AT_ONCE);
              return { items, more: items.length === READ_AT_ONCE };
            },
            numberOf: ({ seq }) => seq,
            nameOf: ({ type }) => type,
            ended: async () => (await deployments.getDeployment(id)).settled_at !== null,
          }),
      };
    },
  }),
];
