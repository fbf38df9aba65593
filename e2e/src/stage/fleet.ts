import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '@floy/client/client';
import { migrate } from '@floy/database/migrate';
import { freePort } from '@floy/local-servers/free-port';
import type { RunningPostgres } from '@floy/local-servers/postgres';
import { startOwnPostgres } from '@floy/testing/own-postgres';
import { startServiceProcess, type ServiceProcess } from '@floy/testing/processes';
import { startTestRedis, type TestRedis } from '@floy/testing/redis';
import { waitFor } from '@floy/testing/wait-for';
import pg from 'pg';

export const serviceNames = [
  'api-gateway',
  'deployment-manager',
  'workflow-manager',
  'build-runner',
  'physical-deployer',
] as const;
export type ServiceName = (typeof serviceNames)[number];

/** A whole Floy: one process per service, on servers of its own that may be hurt. */
export interface Fleet {
  readonly client: Client;
  /** Where the gateway is, and the admin's token. */
  readonly access: { readonly url: string; readonly token: string };
  readonly folder: string;
  readonly postgres: RunningPostgres;
  readonly redis: TestRedis | undefined;
  readonly adminToken: string;
  readonly encryptionKey: string;
  /** Every process ever started, newest last. */
  readonly processes: readonly ServiceProcess[];
  service(name: ServiceName): ServiceProcess;
  /** Starts one more of a service; `service` answers it from now on. */
  start(name: ServiceName): Promise<ServiceProcess>;
  /** SIGKILL, and a new process at once. */
  killAndRestart(name: ServiceName): Promise<void>;
  query<R extends object>(sql: string, values?: unknown[]): Promise<R[]>;
  stop(): Promise<void>;
}

export interface FleetOptions {
  queue: 'redis' | 'postgres';
  env?: Readonly<Record<string, string>>;
}

export async function startFleet({ queue, env }: FleetOptions): Promise<Fleet> {
  const folder = await mkdtemp(join(tmpdir(), 'floy-e2e-'));
  const [postgres, redis] = await Promise.all([
    startOwnPostgres(),
    queue === 'redis' ? startTestRedis() : undefined,
  ]);
  await migrate(postgres.url);
  const adminToken = `floy_pat_${randomBytes(32).toString('hex')}`;
  const encryptionKey = randomBytes(32).toString('base64');
  const artifacts = join(folder, 'artifacts');
  const gatewayPort = await freePort();
  await mkdir(artifacts);
  const variables = {
    FLOY_DATABASE_URL: postgres.url,
    ...(redis ? { FLOY_REDIS_URL: redis.url } : {}),
    FLOY_ENCRYPTION_KEY: encryptionKey,
    ...env,
  };
  const own: Partial<Record<ServiceName, Record<string, string>>> = {
    'api-gateway': {
      FLOY_ADMIN_TOKEN: adminToken,
      FLOY_PORT: String(gatewayPort),
      FLOY_HOST: '127.0.0.1',
      FLOY_ARTIFACTS: artifacts,
    },
    'build-runner': { FLOY_ARTIFACTS: artifacts },
    'physical-deployer': {
      FLOY_ARTIFACTS: artifacts,
      FLOY_PUBLIC_URL: `http://127.0.0.1:${gatewayPort}`,
    },
  };
  const processes: ServiceProcess[] = [];
  const current = new Map<ServiceName, ServiceProcess>();

  function launch(name: ServiceName): ServiceProcess {
    const process = startServiceProcess({ name, env: { ...variables, ...own[name] } });
    processes.push(process);
    current.set(name, process);
    return process;
  }

  async function start(name: ServiceName): Promise<ServiceProcess> {
    const process = launch(name);
    await process.waitReady(30_000);
    return process;
  }

  const service = (name: ServiceName): ServiceProcess => {
    const process = current.get(name);
    if (!process) throw new Error(`${name} was not started`);
    return process;
  };

  const fleet: Fleet = {
    get client() {
      return createClient(fleet.access);
    },
    get access() {
      return { url: addressOf(service('api-gateway')), token: adminToken };
    },
    folder,
    postgres,
    redis,
    adminToken,
    encryptionKey,
    processes,
    service,
    start,
    async killAndRestart(name) {
      const victim = service(name);
      victim.kill('SIGKILL');
      await victim.exited();
      await start(name);
    },
    async query<R extends object>(sql: string, values: unknown[] = []) {
      const client = new pg.Client({ connectionString: postgres.url });
      client.on('error', () => undefined);
      await client.connect();
      try {
        return (await client.query(sql, values)).rows as R[];
      } finally {
        await client.end();
      }
    },
    async stop() {
      await Promise.all(processes.map((process) => process.stop()));
      await redis?.stop();
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await Promise.all(serviceNames.map(start));
    await waitFor('the address of the gateway', () => addressOf(service('api-gateway')));
    return fleet;
  } catch (error) {
    await fleet.stop();
    throw error;
  }
}

function addressOf(gateway: ServiceProcess): string {
  const line = gateway.log.find(({ address }) => typeof address === 'string');
  if (!line) throw new Error('the gateway has not said where it listens');
  return String(line['address']);
}
