import {
  CreateVersionRequest,
  Deleted,
  ListVersionsRequest,
  Version,
  VersionListResponse,
} from '@floy/contracts';
import { route } from './route.js';

const tag = 'Versions';

export const versionRoutes = [
  route({
    method: 'POST',
    path: '/versions',
    role: 'deployer',
    summary: 'Create a version',
    tag,
    body: CreateVersionRequest,
    status: 201,
    answer: Version,
    async handle({ versions, actor }, { body }) {
      const version = await versions.createVersion(actor, body);
      return { body: version, location: `/api/v1/versions/${version.id}` };
    },
  }),
  route({
    method: 'GET',
    path: '/versions',
    role: 'viewer',
    summary: 'List versions',
    tag,
    query: ListVersionsRequest,
    answer: VersionListResponse,
    handle: async ({ versions }, { query }) => ({ body: await versions.getVersionList(query) }),
  }),
  route({
    method: 'GET',
    path: '/versions/{id}',
    role: 'viewer',
    summary: 'Show a version',
    tag,
    answer: Version,
    handle: async ({ versions }, { params }) => ({ body: await versions.getVersion(params.id) }),
  }),
  route({
    method: 'DELETE',
    path: '/versions/{id}',
    role: 'deployer',
    summary: 'Delete a version that no deployment names',
    tag,
    answer: Deleted,
    async handle({ versions }, { params }) {
      await versions.deleteVersion(params.id);
      return { body: { message: 'Version deleted successfully' } };
    },
  }),
];
