import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { createDatabase, type Database } from '@floy/database/database';
import { createListener, type Listener } from '@floy/database/listener';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres, needsRedis } from '@floy/testing/needs';
import { startTestRedis, type TestRedis } from '@floy/testing/redis';
import { waitFor } from '@floy/testing/wait-for';
import { consume, type Consumer } from './consume.js';
import type { HandlersOf } from './handlers.js';
import { createLeaseKeeper, type LeaseKeeper } from './lease-keeper.js';
import { createPublisher, type BusPublisher } from './publisher.js';
import { createQueueBackend } from './queue-backend.js';
import type { Delivery } from './queue-watch.js';
import { recordWork } from './recorded-work.fixture.js';
import { startRelay, type Relay } from './relay.js';
import { createSteadyBackend, type SteadyBackend } from './steady-backend.js';

await needsPostgres();
const describeHere = await needsRedis();
const queue = 'deployment-manager';

describeHere('a queue that somebody has poisoned', () => {
  let own: TestDatabase;
  let redis: TestRedis;
  let database: Database;
  let listener: Listener;
  let backend: SteadyBackend;
  let publisher: BusPublisher;
  let keeper: LeaseKeeper;
  let relay: Relay;
  let consumer: Consumer | undefined;
  const { observer } = recordWork();
  const told: Delivery[] = [];
  const seen: string[] = [];

  beforeAll(async () => {
    [own, redis] = await Promise.all([createTestDatabase(), startTestRedis()]);
    backend = createSteadyBackend(createQueueBackend(redis.url), {
      probeEveryMs: 200,
      tell: (delivery) => told.push(delivery),
    });
    publisher = createPublisher(backend, undefined, backend.hasWorker);
    database = createDatabase({ url: own.url, applicationName: 'test', publisher });
    listener = createListener(own.url, () => undefined);
    keeper = createLeaseKeeper({ database, publisher, listener, observer }, 'one');
    relay = startRelay(database, publisher, () => undefined);
    await waitFor('its session lock', () => keeper.isConnected());
  });
  afterEach(async () => {
    await consumer?.stop();
    consumer = undefined;
    await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await redis.command('REPLICAOF', 'NO', 'ONE');
    await redis.flush();
    [told.length, seen.length] = [0, 0];
  });
  afterAll(async () => {
    await relay.stop();
    await keeper.stop();
    await publisher.close();
    await listener.close();
    await database.close();
    await backend.close();
    await redis.stop();
    await own.drop();
  });

  async function start(): Promise<void> {
    const handlers: HandlersOf<typeof queue> = {
      'start-deployment': {
        handle: async (_, { deployment_id }) => (seen.push(deployment_id), { done: true }),
        dead: async () => undefined,
      },
      'deployment-ended': { handle: async () => ({ done: true }), dead: async () => undefined },
    };
    consumer = consume({ database, backend, keeper, observer }, queue, handlers, {
      concurrency: 4,
    });
    await works('before');
  }
  async function works(id: string): Promise<void> {
    await database.transaction(async (tx) => tx.send('start-deployment', { deployment_id: id }));
    await waitFor(`${id} to be worked on`, () => seen.includes(id));
  }
  const delivers = () => backend.deliveries().every((each) => each.delivers);
  const heals = () => waitFor('the queue to deliver', delivers);

  const key = (name: string) => `bull:${queue}:${name}`;
  const retype = (name: string) => async () => {
    await redis.command('DEL', key(name));
    await redis.command('SET', key(name), 'x');
  };
  it.each<[string, () => Promise<unknown>]>([
    ['its settings made a text', retype('meta')],
    ['its waiting jobs made a text', retype('wait')],
    ['its jobs in work made a text', retype('active')],
    ['its marker made a text', retype('marker')],
    ['its history made a text', retype('events')],
    ['its counter made a text that is no number', retype('id')],
    ['its priorities made a text', retype('prioritized')],
    ['its timers made a text', retype('delayed')],
    ['its look for dead workers made a text', retype('stalled')],
    ['a pause that nobody ends', () => redis.command('HSET', key('meta'), 'paused', '1')],
    ['a limit of one job', () => redis.command('HSET', key('meta'), 'concurrency', '0')],
    [
      'a rate that is used up',
      () => redis.command('SET', key('limiter'), '9999999', 'PX', '900000'),
    ],
  ])(
    'goes on with its work, and heals: %s',
    async (_, poison) => {
      await start();
      await poison();
      for (const id of ['first', 'second', 'third']) await works(id);
      await heals();
      await works('healed');
      await waitFor('a probe that was taken', () => delivers());
    },
    30_000,
  );

  it('says so, naming the queue, for as long as it lasts', async () => {
    await start();
    await redis.command('HSET', key('meta'), 'paused', '1');
    await waitFor('the stand to be told', () => told.length === 2);
    expect(told).toEqual([
      { queue, delivers: false, reason: 'nobody takes jobs from it' },
      { queue, delivers: true },
    ]);
  }, 20_000);

  it.each<[string, string[]]>([
    ['has no memory left', ['CONFIG', 'SET', 'maxmemory', '1']],
    ['may only be read', ['REPLICAOF', '127.0.0.1', '1']],
  ])(
    'on a Redis that %s: its work goes on, and the queue is told of',
    async (_, words) => {
      await start();
      await redis.command(...words);
      await waitFor('the stand', () => !delivers());
      for (const id of ['first', 'second']) await works(id);
      expect(backend.deliveries()[0]?.reason).toMatch(/OOM|READONLY/);
      await redis.command('CONFIG', 'SET', 'maxmemory', '0');
      await redis.command('REPLICAOF', 'NO', 'ONE');
      await heals();
    },
    30_000,
  );
});
