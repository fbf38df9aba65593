import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { defaultHome } from '@floy/local-servers/default-home';
import { findRedis } from '@floy/local-servers/find-redis';
import { lockHome } from '@floy/local-servers/home-lock';
import { keptSecret, neededSecret } from '@floy/local-servers/kept-file';
import { startPostgres } from '@floy/local-servers/postgres';
import { hasCluster } from '@floy/local-servers/postgres-cluster';
import { startRedis } from '@floy/local-servers/redis';
import { parseEncryptionKeys } from '@floy/secrets/sealing';
import { ConfigError } from '@floy/service-kit/config';
import type { ServiceProcess } from '@floy/service-kit/run-service';
import { clone } from './clone.js';
import type { StandaloneConfig } from './config.js';
import { inHome } from './home-problem.js';
import { watchServer } from './watch-server.js';

/** A data folder in use, with all that services need and were not told. */
export interface Home {
  readonly folder: string;
  readonly databaseUrl: string;
  /** Undefined: the queue is in Postgres. */
  readonly redisUrl: string | undefined;
  readonly encryptionKey: string;
  readonly adminToken: string;
  /** Where a person finds the admin token; undefined when it was given. */
  readonly adminTokenFile: string | undefined;
  readonly artifacts: string;
  /** Holds the gateway's base URL while it is ready. */
  readonly addressFile: string;
  /** Stops the servers that were started and lets the next Floy have the folder. */
  close(): Promise<void>;
}

/**
 * Takes the data folder and brings up what was not given: Postgres from npm, a queue on the
 * machine's Redis if there is one, keys.
 *
 * @param searchPath folders to look for a Redis in, as in the variable PATH
 * @throws ConfigError when the folder cannot be used or another Floy has it, Error when `shutdown`
 *   aborts; nothing is left running then
 */
export async function openHome(
  config: StandaloneConfig,
  searchPath: string,
  { logger, shutdown: signal }: Pick<ServiceProcess<unknown>, 'logger' | 'shutdown'>,
): Promise<Home> {
  if (config.FLOY_DATABASE_URL !== undefined && config.FLOY_ENCRYPTION_KEY === undefined) {
    throw new ConfigError({
      FLOY_ENCRYPTION_KEY:
        'must be set with FLOY_DATABASE_URL: a key in a local folder is lost with it',
    });
  }
  const home = resolve(config.FLOY_HOME ?? (await defaultHome(clone)));
  const lock = await inHome(home, () => lockHome(home));
  const { folder } = lock;
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(closers.map((stop) => stop()));
    await lock.release();
  };

  async function openDatabase(): Promise<string> {
    if (config.FLOY_DATABASE_URL !== undefined) return config.FLOY_DATABASE_URL;
    const server = await inHome(home, () =>
      startPostgres({ folder: join(folder, 'postgres'), signal }),
    );
    closers.push(watchServer('postgres', server, logger));
    logger.info({ adopted: server.adopted, socket: server.socket }, 'Postgres runs');
    return server.url;
  }

  async function openQueue(): Promise<string | undefined> {
    if (config.FLOY_REDIS_URL !== undefined) return config.FLOY_REDIS_URL;
    const binary = await findRedis(searchPath);
    if (binary === undefined) {
      logger.info({}, 'No redis-server was found: the queue is in Postgres');
      return undefined;
    }
    const server = await startRedis({ folder: join(folder, 'redis'), binary, signal });
    closers.push(watchServer('redis', server, logger));
    logger.info({ adopted: server.adopted, socket: server.socket }, 'Redis runs');
    return server.url;
  }

  try {
    const adminTokenFile = join(folder, 'admin-token');
    const addressFile = join(folder, 'address');
    await inHome(home, () => rm(addressFile, { force: true }));
    // Before there is anything that it seals: a new one in the place of a lost one opens nothing.
    const encryptionKey = config.FLOY_ENCRYPTION_KEY ?? (await inHome(home, () => openKey(folder)));
    const [databaseUrl, redisUrl] = await allOf(openDatabase(), openQueue());
    signal.throwIfAborted();
    const adminToken =
      config.FLOY_ADMIN_TOKEN ??
      (await keptSecret(adminTokenFile, () => `floy_${randomBytes(24).toString('base64url')}`));
    return {
      ...{ folder, databaseUrl, redisUrl, encryptionKey, adminToken, addressFile, close },
      adminTokenFile: config.FLOY_ADMIN_TOKEN === undefined ? adminTokenFile : undefined,
      artifacts: config.FLOY_ARTIFACTS ?? join(folder, 'artifacts'),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openKey(folder: string): Promise<string> {
  const needed = hasCluster(join(folder, 'postgres'));
  const make = (): string => randomBytes(32).toString('base64');
  const file = join(folder, 'encryption-key');
  const key = await neededSecret(file, needed, make);
  try {
    parseEncryptionKeys(key);
  } catch (cause) {
    throw new Error(`${file} holds no key of 32 bytes in base64: bring the file back`, { cause });
  }
  return key;
}

/** Waits for both also when one fails, so that nothing is started after the clean-up. */
async function allOf<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second]);
  return Promise.all([first, second]);
}
