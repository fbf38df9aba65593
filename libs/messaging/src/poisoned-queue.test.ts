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

  type Answer = { later: Date } | undefined;
  const given: string[] = [];
  async function start(handle: () => Promise<Answer> = async () => undefined): Promise<void> {
    const handlers: HandlersOf<typeof queue> = {
      'start-deployment': {
        handle: async (_, { deployment_id }) => {
          const answer = await handle();
          seen.push(deployment_id);
          return answer ?? { done: true };
        },
        dead: async (_, __, reason) => void given.push(reason),
      },
      'deployment-ended': { handle: async () => ({ done: true }), dead: async () => undefined },
    };
    const deps = { database, backend, keeper, observer };
    consumer = consume(deps, queue, handlers, { concurrency: 2 });
  }
  const send = (id: string) =>
    database.transaction(async (tx) => tx.send('start-deployment', { deployment_id: id }));
  async function works(id: string): Promise<void> {
    await send(id);
    await waitFor(`${id} to be worked on`, () => seen.includes(id));
  }
  const delivers = () => backend.deliveries().every((each) => each.delivers);

  const key = (name: string) => `bull:${queue}:${name}`;
  const retype = (name: string) => async () => {
    await redis.command('DEL', key(name));
    await redis.command('SET', key(name), 'x');
  };
  const set = (field: string, value: string) => () =>
    redis.command('HSET', key('meta'), field, value);

  it.each<[string, () => Promise<unknown>]>([
    ['its settings made a text', retype('meta')],
    ['its waiting jobs made a text', retype('wait')],
    ['its jobs in work made a text', retype('active')],
    ['its marker made a text', retype('marker')],
    ['its history made a text', retype('events')],
    ['its timers made a text', retype('delayed')],
    ['its counter made no number', retype('id')],
    ['its dead workers made a text', retype('stalled')],
    ['a pause that nobody ends', set('paused', '1')],
    ['a limit of no job', set('concurrency', '0')],
  ])(
    'goes on with its work, says so, and heals: %s',
    async (_, poison) => {
      await start();
      await works('before');
      await poison();
      for (const id of ['first', 'second', 'third']) await works(id);
      await waitFor('the stand to be told', () => told.some((each) => !each.delivers));
      expect(told[0]).toMatchObject({ queue, delivers: false });
      await waitFor('its end to be told', () => told.at(-1)?.delivers === true);
      await works('healed');
    },
    30_000,
  );

  it.each<[string, () => Promise<unknown>]>([
    ['its priorities made a text', retype('prioritized')],
    [
      'a rate that is used up',
      () => redis.command('SET', key('limiter'), '999999', 'PX', '900000'),
    ],
  ])('is not even slowed down by %s', async (_, poison) => {
    await start();
    await poison();
    for (const id of ['first', 'second']) await works(id);
    expect(told).toEqual([]);
  });

  it('does no more at once than its workers would', async () => {
    let [active, most] = [0, 0];
    let go = (): void => undefined;
    const held = new Promise<void>((resolve) => (go = resolve));
    await start(async () => {
      most = Math.max(most, (active += 1));
      await held;
      active -= 1;
      return undefined;
    });
    // Two are taken from the queue before it is poisoned, or after: the slots are the same.
    await send('one');
    await waitFor('the first to be in work', () => active === 1);
    await retype('meta')();
    for (const id of ['two', 'three', 'four']) await send(id);
    await waitFor('the second to be in work', () => active === 2);
    const tried = "SELECT 1 FROM messages WHERE subject = 'four' AND publishes > 0";
    await waitFor('the last to be tried again', async () => (await own.query(tried)).length > 0);
    go();
    await waitFor('all to be done', () => seen.length === 4, { timeoutMs: 20_000 });
    expect(most).toBe(2);
  }, 30_000);

  const forge = async (name: string, data: string, fields: string[] = []): Promise<void> => {
    const job = ['name', 'start-deployment', 'data', data, 'opts', '{}', 'timestamp', '1'];
    const more = ['delay', '0', 'priority', '0', ...fields];
    await redis.command('HSET', key(name), ...job, ...more);
    await redis.command('LPUSH', key('wait'), name);
    await redis.command('ZADD', key('marker'), '0', '0');
  };

  it('has no message given up by jobs that say to have been begun before', async () => {
    await start(async () => ({ later: new Date(Date.now() + 30_000) }));
    await works('waits');
    const [message] = await own.query<{ id: string }>(
      "SELECT id FROM messages WHERE subject = 'waits'",
    );
    for (let n = 1; n <= 12; n += 1) {
      await forge(`f${n}`, JSON.stringify({ id: message?.id }), ['ats', '7']);
      await waitFor('it to be taken', () => seen.length > n);
    }
    expect(given).toEqual([]);
    expect(await own.query("SELECT claims, done_at FROM messages WHERE subject = 'waits'")).toEqual(
      [{ claims: 0, done_at: null }],
    );
  }, 30_000);

  const big = `{"id":[${'[],'.repeat(5_000_000)}1]}`;
  it.each<[string, string, string[]]>([
    ['data', big, []],
    ['options', '{}', ['opts', big]],
    ['traces', '{}', ['stacktrace', `[${big}]`]],
    ['result', '{}', ['returnvalue', big]],
    ['progress', '{}', ['progress', big]],
    ['parent', '{}', ['parent', big]],
  ])(
    'does not hold a process up by one job of many megabytes of %s',
    async (_, data, fields) => {
      await start();
      let longest = 0;
      let last = performance.now();
      const ticks = setInterval(() => {
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
      }, 10);
      await forge('big', data, fields);
      await works('behind it');
      clearInterval(ticks);
      expect(longest).toBeLessThan(1500);
    },
    30_000,
  );

  it('keeps no work from its end where a thief takes all jobs, the probe included', async () => {
    await start();
    await set('concurrency', '0')();
    const steal = `for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
      redis.call('DEL', ARGV[1] .. id) end return redis.call('DEL', KEYS[1])`;
    const thief = setInterval(() => {
      void redis.command('EVAL', steal, '1', key('wait'), key('')).catch(() => undefined);
    }, 20);
    await send('stolen');
    const worked = waitFor('it to be worked on', () => seen.includes('stolen'), {
      timeoutMs: 20_000,
    });
    await worked.finally(() => clearInterval(thief));
    // Nothing has told of it: the probe went with the jobs.
    expect(told).toEqual([]);
  }, 30_000);

  it('is named, with the reason, for as long as it stands', async () => {
    await start();
    await set('paused', '1')();
    await waitFor('the stand and its end to be told', () => told.length === 2);
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
      await waitFor('the queue to deliver', delivers);
    },
    30_000,
  );
});
