import {
  Application,
  ApplicationListResponse,
  CreateApplicationRequest,
  Deleted,
  ListApplicationsRequest,
  UpdateApplicationRequest,
} from '@floy/contracts';
import { route } from './route.js';

const tag = 'Applications';

export const applicationRoutes = [
  route({
    method: 'POST',
    path: '/applications',
    role: 'admin',
    summary: 'Create an application',
    tag,
    body: CreateApplicationRequest,
    status: 201,
    answer: Application,
    async handle({ applications }, { body }) {
      const application = await applications.createApplication(body);
      return { body: application, location: `/api/v1/applications/${application.id}` };
    },
  }),
  route({
    method: 'GET',
    path: '/applications',
    role: 'viewer',
    summary: 'List applications',
    tag,
    query: ListApplicationsRequest,
    answer: ApplicationListResponse,
    handle: async ({ applications }, { query }) => ({
      body: await applications.getApplicationList(query),
    }),
  }),
  route({
    method: 'GET',
    path: '/applications/{id}',
    role: 'viewer',
    summary: 'Show an application',
    tag,
    answer: Application,
    handle: async ({ applications }, { params }) => ({
      body: await applications.getApplication(params.id),
    }),
  }),
  route({
    method: 'PUT',
    path: '/applications/{id}',
    role: 'admin',
    summary: 'Change what is sent; config is replaced whole',
    tag,
    body: UpdateApplicationRequest,
    answer: Application,
    handle: async ({ applications }, { params, body }) => ({
      body: await applications.updateApplication(params.id, body),
    }),
  }),
  route({
    method: 'DELETE',
    path: '/applications/{id}',
    role: 'admin',
    summary: 'Delete an application that no deployment names',
    tag,
    answer: Deleted,
    async handle({ applications }, { params }) {
      await applications.deleteApplication(params.id);
      return { body: { message: 'Application deleted successfully' } };
    },
  }),
];
