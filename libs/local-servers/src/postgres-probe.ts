import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { worksOn } from './adopt-server.js';

/** The server running on a data folder, by its own `postmaster.pid`. */
export interface FoundPostmaster {
  readonly pid: number;
  /** The folder of its socket; empty where it has none. */
  readonly socketFolder: string;
}

/** The server running on this data folder, whose real path it has to be. */
export async function findPostmaster(data: string): Promise<FoundPostmaster | undefined> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  const [first = '', , , , socketFolder = ''] = text.split('\n');
  const pid = Number(first);
  return pid && (await worksOn(data, pid)) ? { pid, socketFolder } : undefined;
}

/** Whether a real query is answered; undefined when nobody could be reached (yet). */
export async function answersQueries(url: string): Promise<true | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Makes the database unless it is there. `url` is one of the same server's `postgres` database. */
export async function ensureDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (found.rowCount === 0) {
      await client.query(`create database ${client.escapeIdentifier(name)}`);
    }
  } finally {
    await client.end();
  }
}
