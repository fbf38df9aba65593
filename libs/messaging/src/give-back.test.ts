import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { LeaseLostError } from '@floy/domain';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { serverAt } from '@floy/testing/server-at';
import { startTcpProxy, type TcpProxy } from '@floy/testing/tcp-proxy';
import { waitFor } from '@floy/testing/wait-for';
import { consume, type Consumer } from './consume.js';
import { openBus, type Bus } from './bus.fixture.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { recordWork } from './recorded-work.fixture.js';

const describeHere = await needsPostgres();

describeHere('work that ends while Postgres is away', () => {
  let own: TestDatabase;
  let proxy: TcpProxy;
  let bus: Bus;
  let keeper: LeaseKeeper;
  let consumer: Consumer;
  const { told, observer, outcomes, clear } = recordWork();

  beforeAll(async () => {
    own = await createTestDatabase();
    proxy = await startTcpProxy(serverAt(own.url));
    bus = await openBus(proxy.through(own.url), observer, own.url);
    keeper = bus.keeper('one');
    await waitFor('its session lock', () => keeper.taker());
  });
  afterEach(async () => {
    proxy.heal();
    await consumer.stop();
    await own.query('DELETE FROM messages');
    await own.query('DELETE FROM leases');
    clear();
  });
  afterAll(async () => {
    await keeper.stop();
    await bus.close();
    await proxy.close();
    await own.drop();
  });

  /** Has this process carry out one work. */
  async function begin(run: () => Promise<void>): Promise<void> {
    const handler = { begin: async () => true, dead: async () => undefined, run };
    const handlers = {
      'stage-instance': handler,
      'switch-instance': handler,
      'look-at-target': handler,
    };
    const deps = { ...bus, keeper, observer };
    consumer = consume(deps, 'physical-deployer', handlers, { concurrency: 4 });
    const ids = { target_id: 't', instance_id: 'i', deployment_id: 'd' };
    await bus.database.transaction(async (tx) => tx.send('stage-instance', ids));
  }

  it.each([
    ['interrupted by that: it is given back', undefined, 'given-back', { claims: 0, errors: 0 }],
    ['with an error: it counts', new Error('a defect'), 'error', { claims: 1, errors: 1 }],
  ])(
    '%s, when Postgres is there again',
    async (_, defect, outcome, row) => {
      await begin(async () => {
        proxy.cut();
        if (defect) throw defect;
        await bus.database.knex.raw('SELECT 1');
      });
      await waitFor('the cut', () => told.outages.includes('leases'));
      proxy.heal();
      await waitFor('the session lock', () => keeper.taker());
      await waitFor('its end', () => told.ended.length > 0);
      expect(outcomes()).toEqual([outcome]);
      const look = () =>
        own.query(
          'SELECT claims, errors, outages, (SELECT holder FROM leases) AS holder FROM messages',
        );
      expect(await look()).toMatchObject([{ ...row, holder: null }]);
    },
    60_000,
  );

  it('by the loss of its lease: it is said to be lost, although nothing can be written', async () => {
    await begin(async () => {
      await own.query("UPDATE leases SET holder = 'another', epoch = epoch + 1");
      proxy.cut();
      throw new LeaseLostError('another has it');
    });
    await waitFor('its end', () => told.ended.length > 0);
    expect(outcomes()).toEqual(['lost']);
    proxy.heal();
    await waitFor('the session lock', () => keeper.taker());
  }, 60_000);
});
