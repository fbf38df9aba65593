import { splitSecrets } from '@floy/contracts';
import type { Sealer } from '@floy/secrets/sealing';
import type { Transaction } from '../transaction.js';

/** The tables whose rows hold a config in two columns: `config` (open) and `sealed_config`. */
export type ConfigTable = 'applications' | 'environments';

/** A config as a row keeps it. */
export interface StoredConfig {
  readonly config: Record<string, unknown>;
  readonly sealed_config: Buffer | null;
}

/** Parts a config and seals its secrets for the row with that id. */
export function sealConfig(
  sealer: Sealer,
  table: ConfigTable,
  id: string,
  config: Readonly<Record<string, unknown>>,
): StoredConfig {
  const { open, secret } = splitSecrets(config);
  const empty = Object.keys(secret).length === 0;
  const sealed = empty ? null : sealer.seal(JSON.stringify(secret), place(table, id));
  return { config: open, sealed_config: sealed };
}

/** The whole config of a row, secrets included. Throws SealError when they were tampered with. */
export function openConfig(
  sealer: Sealer,
  table: ConfigTable,
  id: string,
  stored: StoredConfig,
): Record<string, unknown> {
  if (stored.sealed_config === null) return stored.config;
  const text = sealer.open(stored.sealed_config, place(table, id)).toString('utf8');
  return { ...stored.config, ...(JSON.parse(text) as Record<string, unknown>) };
}

/** Locks an environment or application against another change of it until the commit. */
export async function lockConfigRow(
  { knex }: Transaction,
  table: ConfigTable,
  id: string,
): Promise<void> {
  await knex(table).where({ id }).forUpdate().select('id');
}

function place(table: ConfigTable, id: string): string {
  return `${table}.sealed_config:${id}`;
}
