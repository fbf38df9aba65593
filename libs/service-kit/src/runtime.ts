import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { pid } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Catalogues } from '@floy/contracts';
import { createDatabase, type Database } from '@floy/database/database';
import { createListener } from '@floy/database/listener';
import { createTaskLogStore } from '@floy/database/task-log-store';
import { createLeaseKeeper } from '@floy/messaging/lease-keeper';
import { createPublisher } from '@floy/messaging/publisher';
import type { Delivery } from '@floy/messaging/queue-watch';
import { createQueueBackend } from '@floy/messaging/queue-backend';
import { startRelay } from '@floy/messaging/relay';
import { createSteadyBackend } from '@floy/messaging/steady-backend';
import { createSealer, parseEncryptionKeys } from '@floy/secrets/sealing';
import { messageOf, UnavailableError } from '@floy/domain';
import { ConfigError } from './config.js';
import { createHistoryObserver } from './history-observer.js';
import type { Check, Checks } from './ops-server.js';
import { observeDeliveries, observePool } from './process-metrics.js';
import type { ServiceProcess } from './run-service.js';
import type { ServiceDeps } from './service.js';
import { createWorkObserver } from './work-observer.js';

export interface RuntimeConfig {
  readonly FLOY_DATABASE_URL: string;
  /** Without one the queue is in Postgres. */
  readonly FLOY_REDIS_URL?: string;
  readonly FLOY_ENCRYPTION_KEY: string;
}

export interface Runtime {
  readonly deps: ServiceDeps;
  /**
   * The same with so many connections to Postgres of its own: a service that must not wait behind
   * the hundreds of hosts of another. `pool` names them in the metrics.
   */
  apart(pool: string, connections: number): ServiceDeps;
  ready(): Promise<Checks>;
  close(): Promise<void>;
}

/** The connections that most of a process shares. */
const SHARED_CONNECTIONS = 16;

type RuntimeProcess = Pick<ServiceProcess<unknown>, 'logger' | 'metrics' | 'redactor'> &
  Partial<Pick<ServiceProcess<unknown>, 'shutdown'>>;

/**
 * Opens what a process has one of, whatever services run in it: pool, queue, listener, leases and
 * relay. The database has to be migrated. Answers when Postgres does; the queue may come later.
 * Throws, having closed all of it, when `shutdown` aborts.
 */
export async function openRuntime(
  name: string,
  config: RuntimeConfig,
  process: RuntimeProcess,
  catalogues: Catalogues,
): Promise<Runtime> {
  const opened: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of opened.toReversed()) await each();
  };
  try {
    return { ...(await open(name, config, process, catalogues, opened)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(
  name: string,
  config: RuntimeConfig,
  { logger, metrics, redactor, shutdown }: RuntimeProcess,
  catalogues: Catalogues,
  opened: (() => Promise<unknown>)[],
): Promise<Omit<Runtime, 'close'>> {
  const url = config.FLOY_DATABASE_URL;
  const backend = createSteadyBackend(createQueueBackend(config.FLOY_REDIS_URL ?? url), {
    tell: ({ queue, delivers, reason }) =>
      delivers
        ? logger.info({ queue }, 'A queue delivers again')
        : logger.warn({ queue, reason }, 'A queue does not deliver: its work is handed over'),
  });
  opened.push(() => backend.close());
  // First: a queue that finds the database without the queue's tables never looks again. A Redis
  // that is away may come later; one that evicts keys is refused.
  if (backend.kind === 'postgres') await patiently(() => backend.check(), shutdown);
  else await backend.check().catch((error: unknown) => refuseUnlessAway(error, logger));
  const publisher = createPublisher(backend, catalogues.messages, backend.hasWorker);
  observeDeliveries(metrics, backend);
  const pools: Record<string, Database> = {};
  const onEvents = createHistoryObserver(logger, metrics);
  const openPool = (pool: string, poolSize: number): Database => {
    const applicationName = `floy-${name}`;
    const database = createDatabase({
      ...{ url, applicationName, publisher, poolSize, catalogues, onEvents },
    });
    opened.push(() => database.close());
    return (pools[pool] = database);
  };
  const database = openPool('shared', SHARED_CONNECTIONS);
  observePool(metrics, () => pools);
  const taskLogs = createTaskLogStore(database, (err, task_id) =>
    logger.warn({ err, task_id }, 'A piece of log was lost'),
  );
  opened.push(() => taskLogs.close());
  const observer = createWorkObserver(logger, metrics, Object.keys(catalogues.messages));
  const failed = (what: string) => (error: unknown) => {
    if (error instanceof UnavailableError) observer.outage(what, error);
    else logger.error({ err: error }, `The ${what} failed`);
  };
  const listener = createListener(url, failed('listener'));
  opened.push(
    () => listener.close(),
    () => publisher.close(),
  );
  const holder = `${name} ${hostname()} ${pid} ${randomUUID()}`;
  const keeper = createLeaseKeeper({ database, publisher, listener, observer }, holder);
  opened.push(() => keeper.stop());
  const sealer = createSealer(parseEncryptionKeys(config.FLOY_ENCRYPTION_KEY));

  const { rows } = await patiently(
    () => database.knex.raw<{ rows: { id: string }[] }>('SELECT id FROM installation'),
    shutdown,
  );
  const installation = rows[0]?.id;
  if (!installation) throw new UnavailableError('The database is not migrated');
  // A restored backup must not fall behind the epochs that hosts have seen.
  await database.knex.raw('SELECT raise_epoch()');
  // Without its session lock a process would be taken for dead, so that it takes no leases.
  await patiently(async () => keeper.taker(), shutdown);
  const relay = startRelay(database, publisher, failed('relay'), observer.backlog);
  opened.push(() => relay.stop());
  const deps: ServiceDeps = {
    ...{ installation, database, listener, taskLogs, backend, publisher, keeper, observer, sealer },
    ...{ logger, metrics, redactor },
  };
  return {
    deps,
    apart(pool, connections) {
      const own = openPool(pool, connections);
      // Any answer shows that Postgres is there.
      const answeredAt = () => Math.max(own.answeredAt(), database.answeredAt());
      return { ...deps, database: { ...own, answeredAt } };
    },
    async ready() {
      const [postgres, queue] = await Promise.all([
        database.knex.raw('SELECT 1').then(
          () => true,
          () => false,
        ),
        backend.reachable(),
      ]);
      return {
        postgres: postgres
          ? { status: 'ok' }
          : { status: 'down', reason: 'Postgres cannot be reached' },
        queue: queueCheck(queue, backend.deliveries()),
      };
    },
  };
}

function queueCheck(reachable: boolean, deliveries: readonly Delivery[]): Check {
  if (!reachable) {
    return { status: 'degraded', reason: 'the queue cannot be reached: work comes late' };
  }
  const standing = deliveries.filter(({ delivers }) => !delivers);
  if (standing.length === 0) return { status: 'ok' };
  const names = standing.map(({ queue, reason }) => `${queue} (${reason})`).join(', ');
  return { status: 'degraded', reason: `no work comes through the queue, only late: ${names}` };
}

/** How long a start waits for a Postgres that is away, and how often it looks. Milliseconds. */
const patienceMs = 60_000;
const lookAgainMs = 300;

async function patiently<T>(
  attempt: () => Promise<T>,
  shutdown: AbortSignal | undefined,
): Promise<T> {
  const began = performance.now();
  for (;;) {
    shutdown?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof UnavailableError) || performance.now() - began > patienceMs)
        throw error;
      await delay(lookAgainMs, undefined, { signal: shutdown });
    }
  }
}

function refuseUnlessAway(error: unknown, logger: ServiceProcess<unknown>['logger']): void {
  // A Redis that evicts keys, or one that is too old, stays so until somebody changes it.
  if (!(error instanceof UnavailableError)) {
    throw new ConfigError({ FLOY_REDIS_URL: messageOf(error) }, { cause: error });
  }
  logger.warn({ reason: messageOf(error) }, 'The queue cannot be reached yet');
}
