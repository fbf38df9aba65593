import {
  repositoryKey,
  unknownKeys,
  type Application,
  type ApplicationRepository,
} from '@floy/contracts';
import type { Sealer } from '@floy/secrets/sealing';
import type { Knex } from 'knex';
import { newId } from '../ids.js';
import { duplicate, findById, found, isId, listed, referenced, refusing } from './find.js';
import { openConfig, sealConfig, type StoredConfig } from './sealed-config.js';

/** A row as it is stored. */
export interface ApplicationRow extends StoredConfig {
  readonly id: string;
  readonly name: string;
  readonly repository: string;
  readonly type: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Applications, over the pool or one transaction. Configs are whole: secrets opened. */
export function createApplicationRepository(knex: Knex, sealer: Sealer): ApplicationRepository {
  const table = 'applications';
  const nameTaken = (name: string) => ({
    code: duplicate as typeof duplicate,
    message: `There is an application ${name} already`,
    details: { name: 'is taken by another application' },
  });

  const applicationOf = (row: ApplicationRow): Application => openApplication(sealer, row);

  return {
    async create({ name, repository, type, config }) {
      const id = newId('app');
      const key = repositoryKey(repository);
      const sealed = sealConfig(sealer, table, id, config);
      const row = { id, name, repository, repository_key: key, type, ...sealed };
      const insert = knex(table).insert(row).returning<ApplicationRow[]>('*');
      const rows = await refusing(insert, nameTaken(name));
      return applicationOf(found(rows[0], 'application', id));
    },
    async getById(id) {
      const query = knex(table).where({ id });
      return applicationOf(await findById<ApplicationRow>(query, 'app', 'application', id));
    },
    list({ repository, type, ...page }) {
      const query = knex(table).select('*');
      if (repository !== undefined) query.where('repository_key', repositoryKey(repository));
      if (type !== undefined) query.where('type', type);
      return listed(query, page, applicationOf);
    },
    async update({ id, name, type, config }) {
      const sealed = sealConfig(sealer, table, id, config);
      const columns = { name, type, ...sealed, updated_at: knex.raw('clock_timestamp()') };
      const update = knex(table).where({ id }).update(columns).returning<ApplicationRow[]>('*');
      const rows = await refusing(update, nameTaken(name));
      return applicationOf(found(rows[0], 'application', id));
    },
    async delete(id) {
      const removal = isId('app', id) ? knex(table).where({ id }).delete() : Promise.resolve(0);
      const removed = await refusing(removal, {
        code: referenced,
        message: `Application ${id} is named by deployments`,
        details: { id: 'is named by deployments' },
      });
      found(removed === 1 ? id : undefined, 'application', id.slice(0, 100));
    },
  };
}

/**
 * The application whose address and key lead to a repository: one of that very address first, then
 * the oldest. Undefined where there is none.
 */
export async function applicationReaching(
  knex: Knex,
  repository: string,
): Promise<string | undefined> {
  const [row] = await knex('applications')
    .where('repository_key', repositoryKey(repository))
    .orderByRaw('(repository = ?) DESC, created_at, id', [repository])
    .limit(1)
    .select<{ id: string }[]>('id');
  return row?.id;
}

/** The application of a row, with its config whole. */
export function openApplication(sealer: Sealer, row: ApplicationRow): Application {
  const config = openConfig(sealer, 'applications', row.id, row);
  return {
    id: row.id,
    name: row.name,
    repository: row.repository,
    type: row.type,
    config,
    unknown_keys: unknownKeys(config),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}
