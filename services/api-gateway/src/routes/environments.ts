import {
  Environment,
  EnvironmentListResponse,
  CreateEnvironmentRequest,
  Deleted,
  ListEnvironmentsRequest,
  UpdateEnvironmentRequest,
} from '@floy/contracts';
import { route } from './route.js';

const tag = 'Environments';

export const environmentRoutes = [
  route({
    method: 'POST',
    path: '/environments',
    role: 'admin',
    summary: 'Create an environment',
    tag,
    body: CreateEnvironmentRequest,
    status: 201,
    answer: Environment,
    async handle({ environments }, { body }) {
      const environment = await environments.createEnvironment(body);
      return { body: environment, location: `/api/v1/environments/${environment.id}` };
    },
  }),
  route({
    method: 'GET',
    path: '/environments',
    role: 'viewer',
    summary: 'List environments',
    tag,
    query: ListEnvironmentsRequest,
    answer: EnvironmentListResponse,
    handle: async ({ environments }, { query }) => ({
      body: await environments.getEnvironmentList(query),
    }),
  }),
  route({
    method: 'GET',
    path: '/environments/{id}',
    role: 'viewer',
    summary: 'Show an environment',
    tag,
    answer: Environment,
    handle: async ({ environments }, { params }) => ({
      body: await environments.getEnvironment(params.id),
    }),
  }),
  route({
    method: 'PUT',
    path: '/environments/{id}',
    role: 'admin',
    summary: 'Change what is sent; config is replaced whole',
    tag,
    body: UpdateEnvironmentRequest,
    answer: Environment,
    handle: async ({ environments }, { params, body }) => ({
      body: await environments.updateEnvironment(params.id, body),
    }),
  }),
  route({
    method: 'DELETE',
    path: '/environments/{id}',
    role: 'admin',
    summary: 'Delete an environment that no deployment names',
    tag,
    answer: Deleted,
    async handle({ environments }, { params }) {
      await environments.deleteEnvironment(params.id);
      return { body: { message: 'Environment deleted successfully' } };
    },
  }),
];
