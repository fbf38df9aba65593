import { join } from 'node:path';
import { findRedis } from '@floy/local-servers/find-redis';
import { startPostgres } from '@floy/local-servers/postgres';
import { startRedis } from '@floy/local-servers/redis';
import pg from 'pg';
import type { BenchRun } from '../bench.js';

/** The servers that Floy and the floor share. */
export interface SharedServers {
  readonly postgresUrl: string;
  readonly redisUrl: string;
  /** A connection for the bench's own questions. */
  readonly sql: pg.Client;
  /** For the notes: which versions these are. */
  readonly versions: string;
}

/** Starts a Postgres and a Redis as `npm start` does: durable, append-only. */
export async function startServers(run: BenchRun): Promise<SharedServers> {
  const binary = await findRedis(process.env['PATH'] ?? '');
  if (binary === undefined) {
    throw new Error('This bench needs redis-server on the PATH (Debian: apt-get install redis)');
  }
  const [postgres, redis] = await Promise.all([
    startPostgres({ folder: join(run.folder, 'postgres') }),
    startRedis({ folder: join(run.folder, 'redis'), binary }),
  ]);
  run.onEnd(() => Promise.all([postgres.stop(), redis.stop()]));
  const sql = new pg.Client({ connectionString: postgres.url });
  await sql.connect();
  run.onEnd(() => sql.end());
  const { rows } = await sql.query<{ server_version: string }>('SHOW server_version');
  return {
    postgresUrl: postgres.url,
    redisUrl: redis.url,
    sql,
    versions: `Node ${process.versions.node}, Postgres ${rows[0]?.server_version}, Redis ${binary.version}`,
  };
}
