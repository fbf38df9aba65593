import type { Database } from '@floy/database/database';
import { readQueueDepths } from '@floy/messaging/queue-depth';
import type { BusPublisher } from '@floy/messaging/publisher';
import type { SteadyBackend } from '@floy/messaging/steady-backend';
import type { Metrics } from './metrics.js';

/** The connections to Postgres that a process shares, and those of some service alone, by name. */
export function observePool(
  metrics: Metrics,
  pools: () => Readonly<Record<string, Pick<Database, 'poolDepth'>>>,
): void {
  metrics.sampled(
    'floy_pool_connections',
    'Connections of this process to Postgres, in use or idle',
    ['pool', 'state'],
    () =>
      Object.entries(pools()).flatMap(([pool, database]) => {
        const { inUse, idle } = database.poolDepth();
        return [
          { labels: { pool, state: 'in_use' }, value: inUse },
          { labels: { pool, state: 'idle' }, value: idle },
        ];
      }),
  );
  metrics.sampled(
    'floy_pool_waiting',
    'Callers in this process that wait for a connection to Postgres',
    ['pool'],
    () =>
      Object.entries(pools()).map(([pool, database]) => ({
        labels: { pool },
        value: database.poolDepth().waiting,
      })),
  );
}

/** Whether the queues that a process takes jobs from deliver. */
export function observeDeliveries(
  metrics: Metrics,
  backend: Pick<SteadyBackend, 'deliveries'>,
): void {
  metrics.sampled(
    'floy_queue_delivers',
    'Whether jobs come out of a queue that this process takes jobs from: 1, or 0',
    ['queue'],
    () =>
      backend
        .deliveries()
        .map(({ queue, delivers }) => ({ labels: { queue }, value: delivers ? 1 : 0 })),
  );
}

/** How much is on the queues. They are shared, so that one kind of process tells of them. */
export function observeQueues(metrics: Metrics, publisher: Pick<BusPublisher, 'queues'>): void {
  metrics.sampled(
    'floy_queue_jobs',
    'Jobs on the queues: published and not taken yet, or with a worker',
    ['queue', 'state'],
    async () =>
      (await readQueueDepths(publisher)).flatMap(({ queue, waiting, active }) => [
        { labels: { queue, state: 'waiting' }, value: waiting },
        { labels: { queue, state: 'active' }, value: active },
      ]),
  );
}
