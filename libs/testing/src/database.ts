import { createHash, randomBytes } from 'node:crypto';
import pg from 'pg';
import { postgresSource } from './postgres-source.js';
import { onceAtATime } from './run-lock.js';
import { runFolder } from './test-run.js';

/** A database of a test file's own. */
export interface TestDatabase {
  readonly url: string;
  /** Runs one statement on a connection of its own, to look at what the code under test wrote. */
  query<R extends object>(sql: string, values?: readonly unknown[]): Promise<R[]>;
  /** Ends every connection to it and removes it. */
  drop(): Promise<void>;
}

/** Brings an empty database to a schema. */
export type Migrate = (url: string) => Promise<void>;

/**
 * Makes a database with Floy's schema: a copy of a template that the first test file of the run has
 * migrated.
 *
 * @param schema another schema (made once for each name), or `empty`
 */
export async function createTestDatabase(
  schema: 'floy' | 'empty' | { name: string; migrate: Migrate } = 'floy',
): Promise<TestDatabase> {
  const source = await postgresSource();
  if (source === undefined) throw new Error('No Postgres for tests: see needsPostgres()');
  const server = await source.url();
  const template = schema === 'empty' ? 'template0' : await ensureTemplate(server, schema);
  const name = `floy_test_${randomBytes(8).toString('hex')}`;
  await run(server, `create database ${name} template ${template}`);
  const url = withDatabase(server, name);
  return {
    url,
    query: (sql, values) => run(url, sql, values),
    drop: async () => void (await run(server, `drop database if exists ${name} with (force)`)),
  };
}

async function ensureTemplate(
  server: string,
  schema: 'floy' | { name: string; migrate: Migrate },
): Promise<string> {
  const { name, migrate } = schema === 'floy' ? { name: schema, migrate: migrateFloy } : schema;
  // A given server outlives the run, and the schema may be another one the next time.
  const mark = createHash('sha256').update(runFolder()).digest('hex').slice(0, 8);
  const template = `floy_template_${name}_${mark}`;
  const isMade = async (): Promise<boolean> => {
    const rows = await run(server, 'select from pg_database where datname = $1 and datistemplate', [
      template,
    ]);
    return rows.length > 0;
  };
  if (await isMade()) return template;
  return onceAtATime(`template-${name}`, async () => {
    if (await isMade()) return template;
    await run(server, `drop database if exists ${template} with (force)`);
    await run(server, `create database ${template} template template0`);
    await migrate(withDatabase(server, template));
    await run(server, `alter database ${template} is_template true`);
    return template;
  });
}

async function migrateFloy(url: string): Promise<void> {
  const { migrate } = await import('@floy/database/migrate');
  await migrate(url);
}

function withDatabase(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

async function run<R extends object>(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  const client = new pg.Client({ connectionString: url });
  // The server may end this connection while it is idle; the next statement says so.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql, [...values])).rows as R[];
  } finally {
    await client.end();
  }
}
