import {
  CreateVersionRequest,
  Deleted,
  ListVersionsRequest,
  Version,
  VersionListResponse,
  type VersionService,
} from '@floy/contracts';
import { createVersionRepository } from '@floy/database/repositories/versions';
import { tagWasCompared } from '@floy/database/transitions/task-work';
import { askForCommit } from '../services/tag-commit.js';
import { createVersionService } from '../services/versions.js';
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
    async handle(scope, { body: { git_commit, ...request } }) {
      const create = async (versions: VersionService, commit: string) => {
        const version = await versions.createVersion(scope.actor, {
          ...request,
          git_commit: commit,
        });
        return { body: version, location: `/api/v1/versions/${version.id}` };
      };
      if (git_commit !== undefined) return create(scope.versions, git_commit);
      const { git_tag, repository } = request;
      const resolved = await askForCommit(scope, git_tag, repository);
      Object.assign(scope.remarks, { git_tag, repository });
      return {
        async later() {
          const commit = await resolved();
          // The transaction of the request is over by then.
          return scope.deps.database.transaction(async (tx) => {
            const versions = createVersionService(createVersionRepository(tx.knex));
            const reply = await create(versions, commit);
            tagWasCompared(tx, reply.body.id);
            return reply;
          });
        },
      };
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
