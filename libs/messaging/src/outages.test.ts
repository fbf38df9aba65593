import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { UnavailableError } from '@floy/domain';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { serverAt } from '@floy/testing/server-at';
import { startTcpProxy, type TcpProxy } from '@floy/testing/tcp-proxy';
import { waitFor } from '@floy/testing/wait-for';
import { consume, type Consumer } from './consume.js';
import type { LongHandler, OnceHandler, ShortHandler } from './handlers.js';
import { openBus, type Bus } from './bus.fixture.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { recordWork } from './recorded-work.fixture.js';

const describeHere = await needsPostgres();

const refused = (message = 'connect ECONNREFUSED 10.0.0.1:22') =>
  Object.assign(new Error(message), { syscall: 'connect', code: 'ECONNREFUSED' });
const eachRefused = () =>
  Object.assign(new AggregateError([refused(), refused()]), { code: 'ECONNREFUSED' });

describeHere('work and the errors it meets', () => {
  let own: TestDatabase;
  let proxy: TcpProxy;
  let bus: Bus;
  let keeper: LeaseKeeper;
  let consumers: Consumer[] = [];
  const recorded = recordWork();
  const { told, observer } = recorded;

  beforeAll(async () => {
    own = await createTestDatabase();
    proxy = await startTcpProxy(serverAt(own.url));
    bus = await openBus(own.url, observer);
    // Only the connection that renews leases goes through the proxy.
    keeper = bus.keeper('one', proxy.through(own.url));
    await waitFor('its session lock', () => keeper.taker());
  });
  afterEach(async () => {
    await Promise.all(consumers.map((consumer) => consumer.stop()));
    consumers = [];
    await own.query('DELETE FROM messages');
    recorded.clear();
  });
  afterAll(async () => {
    await keeper.stop();
    await bus.close();
    await proxy.close();
    await own.drop();
  });

  const short = (handle: ShortHandler<'deployment-ended'>['handle']) => {
    const none = { handle: async () => ({ done: true as const }), dead: async () => undefined };
    const handlers = { 'start-deployment': none, 'deployment-ended': { ...none, handle } };
    const deps = { ...bus, keeper, observer };
    consumers.push(consume(deps, 'deployment-manager', handlers, { concurrency: 4 }));
    return bus.database.transaction(async (tx) =>
      tx.send('deployment-ended', { deployment_id: 'd' }),
    );
  };
  const long = (run: LongHandler<'stage-instance'>['run'], begin = async () => true) => {
    const handler = { begin, run, dead: async () => undefined };
    const handlers = {
      'stage-instance': handler,
      'switch-instance': handler,
      'look-at-target': handler,
    };
    const deps = { ...bus, keeper, observer };
    consumers.push(consume(deps, 'physical-deployer', handlers, { concurrency: 4 }));
    const ids = { target_id: 't', instance_id: 'i', deployment_id: 'd' };
    return bus.database.transaction(async (tx) => tx.send('stage-instance', ids));
  };
  const once = (run: OnceHandler<'answer-question'>['run']) => {
    const handlers = { 'answer-question': { run } };
    const deps = { ...bus, keeper, observer };
    consumers.push(consume(deps, 'physical-questions', handlers, { concurrency: 4 }));
    return bus.database.transaction(async (tx) => tx.send('answer-question', { question_id: 'q' }));
  };
  const message = async () => {
    const [row] = await own.query<{
      id: string;
      kind: 'stage-instance' | 'deployment-ended';
      claims: number;
      errors: number;
      outages: number;
      done: boolean;
      pause: number;
    }>(
      `SELECT id, kind, claims, errors, outages, done_at IS NOT NULL AS done,
         extract(epoch FROM publish_at - clock_timestamp())::float8 AS pause FROM messages`,
    );
    if (!row) throw new Error('no message');
    return row;
  };
  /** Puts it on its queue again, as the relay does when it is due, without waiting for that. */
  const again = async () => {
    const { id, kind, claims } = await message();
    await bus.publisher.publish([{ id, kind, claims }]);
  };
  /** Has it taken up until it has ended so often. */
  const ends = (times: number) =>
    waitFor(`${times} ends`, async () => {
      if (told.ended.length >= times) return true;
      await again();
      return false;
    });

  it.each([
    ['a short handler that is refused a connection', () => short(() => Promise.reject(refused()))],
    ['a short handler that is refused several', () => short(() => Promise.reject(eachRefused()))],
    ['a long handler that is refused a connection', () => long(() => Promise.reject(refused()))],
    ['a long handler that is refused several', () => long(() => Promise.reject(eachRefused()))],
    [
      'a long handler that cannot even begin',
      () =>
        long(
          async () => undefined,
          () => Promise.reject(refused('Connection terminated unexpectedly')),
        ),
    ],
  ])('counts %s, and gives up after five', async (_, start) => {
    await start();
    await ends(5);
    expect(recorded.outcomes()).toEqual(['error', 'error', 'error', 'error', 'dead']);
    expect(told.outages).toEqual([]);
    expect(await message()).toMatchObject({ errors: 5, outages: 0, done: true });
  });

  it('tells of an error of what is done when it begins, once', async () => {
    await once(() => Promise.reject(refused()));
    await waitFor('its end', () => told.ended.length > 0);
    expect(recorded.outcomes()).toEqual(['error']);
    expect(told.outages).toEqual([]);
  });

  it.each([
    ['short', (error: Error) => short(() => Promise.reject(error))],
    ['long', (error: Error) => long(() => Promise.reject(error))],
  ])('gives %s work back for an outage, uncounted and later each time', async (_, start) => {
    await start(new UnavailableError('The database cannot be reached right now'));
    for (let times = 1; times <= 4; times += 1) {
      await ends(times);
      const { outages, pause } = await waitFor('it to be put off', async () => {
        const row = await message();
        return row.outages === told.ended.length && row;
      });
      expect(pause).toBeLessThanOrEqual(0.3 * 2 ** (outages - 1));
      if (times === 4) expect(pause).toBeGreaterThan(0.3 * 2 ** (outages - 2));
    }
    expect(new Set(recorded.outcomes())).toEqual(new Set(['given-back']));
    expect(told.outages.length).toBe(told.ended.length);
    expect(await message()).toMatchObject({ claims: 0, errors: 0, done: false });
  });

  it('counts a statement that was too slow', async () => {
    await short(async (tx) => {
      await tx.execute('SET LOCAL statement_timeout = 50');
      await tx.rows('SELECT pg_sleep(5)');
      return { done: true };
    });
    await ends(1);
    expect(new Set(recorded.outcomes())).toEqual(new Set(['error']));
    // It comes back at once, and may have failed again by now.
    const { errors, outages } = await message();
    expect([errors > 0, outages]).toEqual([true, 0]);
  });

  it('does not count one that was too slow while Postgres or the way there stood still', async () => {
    await short(async (tx) => {
      proxy.drop();
      await tx.execute('SET LOCAL statement_timeout = 2300');
      await tx.rows('SELECT pg_sleep(5)');
      return { done: true };
    });
    await waitFor('its end', () => told.ended.length > 0);
    proxy.heal();
    expect(recorded.outcomes()).toEqual(['given-back']);
    expect(told.outages).toContain('deployment-ended');
    expect(await message()).toMatchObject({ errors: 0, done: false });
    await waitFor('the session lock', () => keeper.taker());
  });

  it('waits in the middle of long work for as long as Postgres is away, telling so once', async () => {
    let tries = 0;
    await long(async (work) => {
      await work.throughOutages(async () => {
        tries += 1;
        if (tries < 4) throw new UnavailableError('The database cannot be reached right now');
      });
      await work.finish(async () => undefined);
    });
    await waitFor('its end', () => told.ended.length > 0);
    expect(recorded.outcomes()).toEqual(['done']);
    expect(told.outages).toEqual(['stage-instance']);
    expect(tries).toBe(4);
  });

  it('does not wait in the middle of long work for anybody else', async () => {
    await long((work) => work.throughOutages(() => Promise.reject(refused())));
    await waitFor('its end', () => told.ended.length > 0);
    expect(recorded.outcomes()).toEqual(['error']);
    expect(told.outages).toEqual([]);
  });

  it('brings long work back when it asked for it, with nothing counted or held', async () => {
    let runs = 0;
    const at = new Date(Date.now() + 60_000);
    await long(async (work) => {
      runs += 1;
      if (runs === 1) await work.later(at);
      else await work.finish(async () => undefined);
    });
    await waitFor('its end', () => told.ended.length > 0);
    expect(recorded.outcomes()).toEqual(['later']);
    expect(await own.query('SELECT publish_at, publishes, claims, errors FROM messages')).toEqual([
      { publish_at: at, publishes: 0, claims: 0, errors: 0 },
    ]);
    expect(await own.query('SELECT FROM leases WHERE holder IS NOT NULL')).toEqual([]);
    await ends(2);
    expect(recorded.outcomes()).toEqual(['later', 'done']);
    expect(runs).toBe(2);
    expect(told.ended[0]?.message).toMatchObject({
      kind: 'stage-instance',
      deployment_id: 'd',
      instance_id: 'i',
    });
  });

  it('refuses "later" from a worker whose right was revoked', async () => {
    await long(async (work) => {
      await own.query("UPDATE leases SET epoch = nextval('epochs'), holder = NULL");
      await work.later(new Date(Date.now() + 60_000));
    });
    await waitFor('its end', () => told.ended.length > 0);
    expect(recorded.outcomes()).toEqual(['lost']);
    expect((await message()).claims).toBe(1);
    expect((await message()).pause).toBeLessThan(20);
  });
});
