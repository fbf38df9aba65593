import { repositoryKey, type Version, type VersionRepository } from '@floy/contracts';
import type { Knex } from 'knex';
import { newId } from '../ids.js';
import { duplicate, findById, found, isId, listed, referenced, refusing } from './find.js';

interface VersionRow extends Omit<Version, 'created_at'> {
  readonly repository_key: string;
  readonly created_at: Date;
}

/** Versions, over the pool or one transaction. */
export function createVersionRepository(knex: Knex): VersionRepository {
  return {
    async create(version) {
      const { git_tag, repository } = version;
      const row = { id: newId('ver'), ...version, repository_key: repositoryKey(repository) };
      const rows = await refusing(knex('versions').insert(row).returning<VersionRow[]>('*'), {
        code: duplicate,
        message: `There is a version ${git_tag} of ${repository} already`,
        details: { git_tag: 'is taken in this repository' },
      });
      return versionOf(found(rows[0], 'version', row.id));
    },
    async getById(id) {
      const query = knex('versions').where({ id });
      return versionOf(await findById<VersionRow>(query, 'ver', 'version', id));
    },
    list({ repository, ...page }) {
      const query = knex('versions').select('*');
      if (repository !== undefined) query.where('repository_key', repositoryKey(repository));
      return listed(query, page, versionOf);
    },
    async delete(id) {
      const removal = isId('ver', id)
        ? knex('versions').where({ id }).delete()
        : Promise.resolve(0);
      const removed = await refusing(removal, {
        code: referenced,
        message: `Version ${id} is named by deployments`,
        details: { id: 'is named by deployments' },
      });
      found(removed === 1 ? id : undefined, 'version', id.slice(0, 100));
    },
  };
}

function versionOf(row: VersionRow): Version {
  return {
    id: row.id,
    git_tag: row.git_tag,
    git_commit: row.git_commit,
    repository: row.repository,
    created_by: row.created_by,
    created_at: row.created_at.toISOString(),
    description: row.description,
  };
}
