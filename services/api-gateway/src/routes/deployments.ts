import {
  CancelDeploymentRequest,
  CreateDeploymentRequest,
  Deployment,
  DeploymentListResponse,
  EmptyRequest,
  ListDeploymentsRequest,
  RollbackRequest,
} from '@floy/contracts';
import { steerDeployment, type Steering } from '@floy/database/transitions/steer';
import { route } from './route.js';

const tag = 'Deployments';

const steerings: Record<Steering, string> = {
  promote:
    'Roll out to everything that is left at once; ends no pause, and is refused while an approval is awaited',
  pause: 'Begin nothing new until resumed',
  resume: 'Go on after a pause',
  abort: 'End the rollout as failed and return what was switched',
  approve: 'Let a rollout that waits for approval go on',
};

const steeringRoutes = Object.entries(steerings).map(([steering, summary]) =>
  route({
    method: 'POST',
    path: `/deployments/{id}/${steering as Steering}`,
    role: 'deployer',
    summary,
    tag,
    body: EmptyRequest,
    answer: Deployment,
    async handle({ deployments, transact, actor }, { params: { id } }) {
      await deployments.getDeployment(id);
      await transact((tx) => steerDeployment(tx, id, steering as Steering, actor.name));
      return { body: await deployments.getDeployment(id) };
    },
  }),
);

export const deploymentRoutes = [
  route({
    method: 'POST',
    path: '/deployments',
    role: 'deployer',
    summary: 'Deploy applications at a version to an environment',
    tag,
    body: CreateDeploymentRequest,
    status: 201,
    answer: Deployment,
    async handle({ deployments, actor }, { body }) {
      const deployment = await deployments.createDeployment(actor, body);
      return { body: deployment, location: `/api/v1/deployments/${deployment.id}` };
    },
  }),
  route({
    method: 'GET',
    path: '/deployments',
    role: 'viewer',
    summary: 'List deployments',
    tag,
    query: ListDeploymentsRequest,
    answer: DeploymentListResponse,
    handle: async ({ deployments }, { query }) => ({
      body: await deployments.getDeploymentList(query),
    }),
  }),
  route({
    method: 'GET',
    path: '/deployments/{id}',
    role: 'viewer',
    summary: 'Show a deployment',
    tag,
    answer: Deployment,
    handle: async ({ deployments }, { params }) => ({
      body: await deployments.getDeployment(params.id),
    }),
  }),
  route({
    method: 'POST',
    path: '/deployments/{id}/cancel',
    role: 'deployer',
    summary:
      'End a deployment now and return its targets; with rollback false only those interrupted in a switch',
    tag,
    body: CancelDeploymentRequest,
    answer: Deployment,
    handle: async ({ deployments, actor }, { params, body }) => ({
      body: await deployments.cancelDeployment(actor, params.id, body),
    }),
  }),
  route({
    method: 'POST',
    path: '/deployments/{id}/rollback',
    role: 'deployer',
    summary:
      'Bring the applications of a deployment back to an earlier version, by id, tag or previous',
    tag,
    body: RollbackRequest,
    status: 201,
    answer: Deployment,
    async handle({ deployments, actor }, { params, body }) {
      const rollback = await deployments.rollbackDeployment(actor, params.id, body);
      return { body: rollback, location: `/api/v1/deployments/${rollback.id}` };
    },
  }),
  ...steeringRoutes,
];
