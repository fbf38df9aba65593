import knex, { type Knex } from 'knex';
import type pg from 'pg';
import { transitions, type Machine } from '@floy/domain';
import { newId } from './ids.js';
import { tables } from './machine-tables.js';
import * as core from './migrations/0001-core.js';
import * as auditChain from './migrations/0002-audit-chain.js';
import { ProvenClient } from './proven-client.js';

const migrations: Record<string, { up(knex: Knex): Promise<void> }> = {
  '0001-core': core,
  '0002-audit-chain': auditChain,
};

/** Brings a database to this version's schema. Safe to run from several processes at once. */
export async function migrate(url: string): Promise<void> {
  const connection = migrationSettings(url);
  const pool = knex({
    client: 'pg',
    connection: connection as Knex.PgConnectionConfig,
    pool: { min: 0, max: 2 },
  });
  (pool.client as { driver: object }).driver = { Client: ProvenClient };
  try {
    await withMigrationLock(url, async () => {
      await pool.migrate.latest({
        migrationSource: {
          getMigrations: async () => Object.keys(migrations),
          getMigrationName: (name: string) => name,
          getMigration: async (name: string) => {
            const migration = migrations[name];
            if (!migration) throw new Error(`unknown migration ${name}`);
            return { up: migration.up, down: async () => undefined };
          },
        },
        tableName: 'floy_migrations',
      });
      await pool.raw(transitionTriggers());
      await pool.raw('INSERT INTO installation (id) VALUES (?) ON CONFLICT DO NOTHING', [
        newId('floy'),
      ]);
      await pool.raw('SELECT raise_epoch()');
    });
  } finally {
    await pool.destroy();
  }
}

/**
 * knex's own lock is a row that a killed migration leaves behind, and then nothing starts any more.
 * An advisory lock ends with its connection; under it the row can be put right.
 */
async function withMigrationLock(url: string, work: () => Promise<void>): Promise<void> {
  const client = new ProvenClient(migrationSettings(url));
  await client.connect();
  try {
    await client.query("SELECT pg_advisory_lock(hashtext('floy migrations'))");
    const { rows } = await client.query("SELECT to_regclass('floy_migrations_lock') AS lock");
    if ((rows as { lock: string | null }[])[0]?.lock) {
      await client.query('UPDATE floy_migrations_lock SET is_locked = 0');
    }
    await work();
  } finally {
    await client.end();
  }
}

/** Without the limits of other sessions: a migration may take its time. */
function migrationSettings(url: string): pg.ClientConfig {
  return { connectionString: url, application_name: 'floy-migrate', connectionTimeoutMillis: 5000 };
}

/** The second wall of law 3: triggers made from the transition table refuse any other change. */
function transitionTriggers(): string {
  return (Object.keys(tables) as Machine[])
    .map((machine) => {
      const edges = Object.entries(transitions[machine]).flatMap(([from, tos]) =>
        (tos as readonly string[]).map((to) => `'${from}>${to}'`),
      );
      const states = Object.keys(transitions[machine]).map((state) => `'${state}'`);
      return `
CREATE OR REPLACE FUNCTION check_${machine}_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status NOT IN (${states.join(', ')}) THEN
      RAISE EXCEPTION 'unknown ${machine} status %', NEW.status USING ERRCODE = 'check_violation';
    END IF;
  ELSIF NEW.status <> OLD.status AND OLD.status || '>' || NEW.status NOT IN (${edges.join(', ')}) THEN
    RAISE EXCEPTION '${machine} % may not go from % to %', OLD.id, OLD.status, NEW.status
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER check_transition BEFORE INSERT OR UPDATE OF status ON ${tables[machine]}
  FOR EACH ROW EXECUTE FUNCTION check_${machine}_transition();`;
    })
    .join('\n');
}
