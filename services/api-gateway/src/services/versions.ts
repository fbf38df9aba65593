import { gitCommitProblem, gitTagProblem, repositoryProblem } from '@floy/contracts';
import type { VersionRepository, VersionService } from '@floy/contracts';
import { checkFields } from './check-fields.js';
import { pageOf } from './paging.js';

/** Versions as the API knows them. */
export function createVersionService(versions: VersionRepository): VersionService {
  return {
    async createVersion(actor, { git_tag, git_commit, repository, description }) {
      checkFields({
        git_tag: gitTagProblem(git_tag),
        git_commit: gitCommitProblem(git_commit),
        repository: repositoryProblem(repository),
      });
      return versions.create({
        git_tag,
        git_commit,
        repository,
        created_by: actor.name,
        description: description ?? '',
      });
    },
    async getVersionList({ repository, ...paging }) {
      const page = pageOf(paging);
      const { items, total } = await versions.list({ repository, ...page });
      return { versions: items, total, page: page.page, page_size: page.pageSize };
    },
    getVersion: (id) => versions.getById(id),
    deleteVersion: (id) => versions.delete(id),
  };
}
