import {
  unknownKeys,
  type Environment,
  type EnvironmentRepository,
  type EnvironmentType,
} from '@floy/contracts';
import type { Sealer } from '@floy/secrets/sealing';
import type { Knex } from 'knex';
import { newId } from '../ids.js';
import { duplicate, findById, found, isId, listed, referenced, refusing } from './find.js';
import { openConfig, sealConfig, type StoredConfig } from './sealed-config.js';

/** A row as it is stored. */
export interface EnvironmentRow extends StoredConfig {
  readonly id: string;
  readonly name: string;
  readonly type: EnvironmentType;
  readonly is_active: boolean;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Environments, over the pool or one transaction. Configs are whole: secrets opened. */
export function createEnvironmentRepository(knex: Knex, sealer: Sealer): EnvironmentRepository {
  const table = 'environments';
  const nameTaken = (name: string) => ({
    code: duplicate as typeof duplicate,
    message: `There is an environment ${name} already`,
    details: { name: 'is taken by another environment' },
  });

  const environmentOf = (row: EnvironmentRow): Environment => openEnvironment(sealer, row);

  return {
    async create({ name, type, config, is_active }) {
      const id = newId('env');
      const row = { id, name, type, is_active, ...sealConfig(sealer, table, id, config) };
      const insert = knex(table).insert(row).returning<EnvironmentRow[]>('*');
      const rows = await refusing(insert, nameTaken(name));
      return environmentOf(found(rows[0], 'environment', id));
    },
    async getById(id) {
      const query = knex(table).where({ id });
      return environmentOf(await findById<EnvironmentRow>(query, 'env', 'environment', id));
    },
    list({ type, isActive, ...page }) {
      const query = knex(table).select('*');
      if (type !== undefined) query.where('type', type);
      if (isActive !== undefined) query.where('is_active', isActive);
      return listed(query, page, environmentOf);
    },
    async update({ id, name, config, is_active }) {
      const sealed = sealConfig(sealer, table, id, config);
      const columns = { name, is_active, ...sealed, updated_at: knex.raw('clock_timestamp()') };
      const update = knex(table).where({ id }).update(columns).returning<EnvironmentRow[]>('*');
      const rows = await refusing(update, nameTaken(name));
      return environmentOf(found(rows[0], 'environment', id));
    },
    async delete(id) {
      const removal = isId('env', id) ? knex(table).where({ id }).delete() : Promise.resolve(0);
      const removed = await refusing(removal, {
        code: referenced,
        message: `Environment ${id} is named by deployments`,
        details: { id: 'is named by deployments' },
      });
      found(removed === 1 ? id : undefined, 'environment', id.slice(0, 100));
    },
  };
}

/** The environment of a row, with its config whole. */
export function openEnvironment(sealer: Sealer, row: EnvironmentRow): Environment {
  const config = openConfig(sealer, 'environments', row.id, row);
  return {
    id: row.id,
    name: row.name,
    type: row.type,
    config,
    unknown_keys: unknownKeys(config),
    is_active: row.is_active,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}
