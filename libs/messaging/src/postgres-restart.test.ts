import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { migrate } from '@floy/database/migrate';
import type { RunningPostgres } from '@floy/local-servers/postgres';
import { needsPostgres } from '@floy/testing/needs';
import { startOwnPostgres } from '@floy/testing/own-postgres';
import { waitFor } from '@floy/testing/wait-for';
import { openBus, type Bus } from './bus.fixture.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { recordWork } from './recorded-work.fixture.js';
import { startRelay, type Relay } from './relay.js';
import { startWorker, type Worker } from './worker-process.fixture.js';

const describeHere = await needsPostgres();

describeHere('a Postgres that is restarted', () => {
  let server: RunningPostgres;
  let bus: Bus;
  let keeper: LeaseKeeper;
  let relay: Relay;
  let worker: Worker;
  const { told, observer } = recordWork();

  beforeAll(async () => {
    server = await startOwnPostgres();
    await migrate(server.url);
    bus = await openBus(server.url, observer);
    relay = startRelay(bus.database, bus.publisher, () => undefined);
    keeper = bus.keeper('the other');
    worker = await startWorker('worker', { database: server.url, queue: server.url });
  }, 60_000);
  afterAll(async () => {
    await worker.end();
    await keeper.stop();
    await relay.stop();
    await bus.close();
    await server.stop();
  }, 30_000);

  it('takes no lease from a worker that lives', async () => {
    await bus.database.transaction(async (tx) =>
      tx.send('stage-instance', { target_id: 't', instance_id: 'i', deployment_id: 'd' }),
    );
    await worker.said({ msg: 'begun', target_id: 't' });
    const lease = async () => {
      const query = 'SELECT holder, epoch FROM leases';
      return (await bus.database.knex.raw<{ rows: object[] }>(query)).rows[0];
    };
    const before = await lease();
    await waitFor('this process to be punctual', () => keeper.taker().mayTakeOver);
    for (let restart = 0; restart < 4; restart += 1) {
      // One that stops breaks every connection, and one that is killed starts with none.
      if (restart % 2 === 1) server.kill('SIGKILL');
      await server.restart();
      await waitFor('the session lock', () => keeper.taker());
    }
    await waitFor('this process to be punctual', () => keeper.taker().mayTakeOver);
    expect(await lease()).toEqual(before);
    expect(told.died).toEqual([]);
    expect(told.outages).toContain('leases');
    worker.process.kill('SIGUSR2');
    await worker.said({ msg: 'ended', target_id: 't', outcome: 'done' });
  }, 120_000);
});
