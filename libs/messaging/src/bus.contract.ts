import { afterAll, afterEach, beforeAll, expect, it, type describe } from '@jest/globals';
import { revokeLeases } from '@floy/database/leases';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { waitFor } from '@floy/testing/wait-for';
import { consume, type Consumer } from './consume.js';
import type { HandlersOf, LongHandler, ShortHandler, Work } from './handlers.js';
import { openBus, type Bus } from './bus.fixture.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { recordWork } from './recorded-work.fixture.js';
import type { Transaction } from '@floy/database/transaction';
import { startRelay, type Relay } from './relay.js';

export interface BusUnderTest {
  /** The URL of the queue; a Postgres queue gets that of the test's database. */
  queueUrl(database: TestDatabase): Promise<string>;
  /** Loses everything that is queued. */
  wipe(): Promise<void>;
  stop(): Promise<void>;
}

type Managers = HandlersOf<'deployment-manager'>;
type Deployers = HandlersOf<'physical-deployer'>;

/** What every queue backend has to do for Floy, run against real servers. */
export function busContract(
  name: string,
  start: () => Promise<BusUnderTest>,
  on: typeof describe.skip,
): void {
  on(`messages over ${name}`, () => {
    let queue: BusUnderTest;
    let own: TestDatabase;
    let bus: Bus;
    let relay: Relay | undefined;
    let keepers: LeaseKeeper[] = [];
    let consumers: Consumer[] = [];
    const recorded = recordWork();
    const { observer } = recorded;

    beforeAll(async () => {
      queue = await start();
      own = await createTestDatabase();
      bus = await openBus(own.url, observer, await queue.queueUrl(own));
    });

    afterEach(async () => {
      await Promise.all(consumers.map((consumer) => consumer.stop()));
      await Promise.all(keepers.map((keeper) => keeper.stop()));
      await relay?.stop();
      [consumers, keepers, relay] = [[], [], undefined];
      recorded.clear();
      await own.query('DELETE FROM messages');
      await own.query('DELETE FROM leases');
    });

    afterAll(async () => {
      await bus.close();
      await own.drop();
      await queue.stop();
    });

    async function keeper(holder: string): Promise<LeaseKeeper> {
      const made = bus.keeper(holder);
      keepers.push(made);
      await waitFor('its session lock', () => made.isConnected());
      return made;
    }

    async function manage(handler: Partial<ShortHandler<'deployment-ended'>>): Promise<void> {
      const done: Managers['start-deployment'] = {
        handle: async () => ({ done: true }),
        dead: async () => undefined,
      };
      const handlers: Managers = {
        'start-deployment': done,
        'deployment-ended': {
          handle: async () => ({ done: true }),
          dead: async () => undefined,
          ...handler,
        },
      };
      const deps = { ...bus, keeper: await keeper('manager'), observer };
      consumers.push(consume(deps, 'deployment-manager', handlers, { concurrency: 4 }));
    }

    async function deploy(
      holder: string,
      handler: Partial<LongHandler<'stage-instance'>>,
    ): Promise<Consumer> {
      const idle = {
        begin: async () => true,
        run: (work: Work) => work.finish(async () => undefined),
        dead: async () => undefined,
      };
      const handlers: Deployers = {
        'stage-instance': { ...idle, ...handler },
        'switch-instance': idle,
        'look-at-target': idle,
      };
      const deps = { ...bus, keeper: await keeper(holder), observer };
      const consumer = consume(deps, 'physical-deployer', handlers, { concurrency: 4 });
      consumers.push(consumer);
      return consumer;
    }

    const send = (deployment_id: string, at?: Date) =>
      bus.database.transaction(async (tx) => tx.send('deployment-ended', { deployment_id }, at));
    const stage = async (target_id: string) => {
      // As a process does: without its session lock it takes no leases.
      await waitFor('the session locks', () => keepers.map((each) => each.taker()));
      await bus.database.transaction(async (tx) =>
        tx.send('stage-instance', {
          target_id,
          instance_id: `of ${target_id}`,
          deployment_id: 'dep',
        }),
      );
    };
    const undone = async () =>
      (
        await own.query<{ n: number }>(
          'SELECT count(*)::int AS n FROM messages WHERE done_at IS NULL',
        )
      )[0]?.n;

    it('hands a committed message to its handler without the relay, once', async () => {
      const seen: string[] = [];
      await manage({
        handle: async (_, { deployment_id }) => (seen.push(deployment_id), { done: true }),
      });
      await send('dep_1');
      await waitFor('the handler', () => seen.length > 0);
      await waitFor('every message to be done', async () => (await undone()) === 0);
      expect(seen).toEqual(['dep_1']);
    });

    it('brings back what the queue lost', async () => {
      const seen: string[] = [];
      await send('dep_lost');
      await bus.database.flushed();
      await queue.wipe();
      await manage({
        handle: async (_, { deployment_id }) => (seen.push(deployment_id), { done: true }),
      });
      relay = startRelay(bus.database, bus.publisher, () => undefined);
      await waitFor('the handler', () => seen.length > 0, { timeoutMs: 8000 });
      expect(seen).toEqual(['dep_lost']);
    });

    it('holds a timer back until its time', async () => {
      const seen: number[] = [];
      await manage({ handle: async () => (seen.push(Date.now()), { done: true }) });
      relay = startRelay(bus.database, bus.publisher, () => undefined);
      const at = Date.now() + 700;
      await send('dep_timer', new Date(at));
      await waitFor('the handler', () => seen.length > 0, { timeoutMs: 5000 });
      expect(seen[0]).toBeGreaterThanOrEqual(at - 20);
      expect(seen[0]).toBeLessThan(at + 1500);
    });

    it('turns a message that throws five times, once, into the change that ends its work', async () => {
      const dead: string[] = [];
      let runs = 0;
      await send('dep_poison');
      await own.query("UPDATE messages SET errors = 2 WHERE subject = 'dep_poison'");
      await manage({
        handle: async () => {
          runs += 1;
          throw new Error('a defect');
        },
        dead: async (_, __, reason) => void dead.push(reason),
      });
      relay = startRelay(bus.database, bus.publisher, () => undefined);
      await waitFor('the message to be given up', () => dead.length > 0, { timeoutMs: 40_000 });
      await waitFor('every message to be done', async () => (await undone()) === 0);
      expect(dead).toEqual(['an internal error, which the log describes']);
      expect(runs).toBe(3);
    }, 60_000);

    it('writes the effect of a message published many times only once', async () => {
      let runs = 0;
      await manage({ handle: async () => ((runs += 1), { done: true }) });
      await send('dep_many');
      const [row] = await own.query<{ id: string }>('SELECT id FROM messages');
      for (let claims = 0; claims < 20; claims += 1) {
        await bus.publisher.publish([{ id: row?.id ?? '', kind: 'deployment-ended', claims }]);
      }
      await waitFor('every message to be done', async () => (await undone()) === 0);
      expect(runs).toBe(1);
    });

    it('does not believe a job whose message does not exist, or is of another kind', async () => {
      const seen: string[] = [];
      await manage({
        handle: async (_, { deployment_id }) => (seen.push(deployment_id), { done: true }),
      });
      await bus.publisher.publish([{ id: 'msg_forged', kind: 'deployment-ended', claims: 0 }]);
      await send('dep_true');
      await waitFor('the handler', () => seen.length > 0);
      expect(seen).toEqual(['dep_true']);
    });

    it('lets one worker at a time act on a target', async () => {
      let active = 0;
      let most = 0;
      let done = 0;
      const run: LongHandler<'stage-instance'>['run'] = async (work) => {
        active += 1;
        most = Math.max(most, active);
        await new Promise((resolve) => setImmediate(resolve));
        active -= 1;
        await work.finish(async () => undefined);
        done += 1;
      };
      await deploy('one', { run });
      await deploy('other', { run });
      relay = startRelay(bus.database, bus.publisher, () => undefined);
      for (let n = 0; n < 5; n += 1) await stage('tgt_same');
      await waitFor('all work to be done', () => done === 5, { timeoutMs: 20_000 });
      expect(most).toBe(1);
    }, 30_000);

    it('hands work over at once when its worker stops in order', async () => {
      const holders: string[] = [];
      const started = await deploy('first', {
        run: (work) =>
          new Promise((_, reject) => {
            holders.push('first');
            work.signal.addEventListener('abort', () => reject(work.signal.reason as Error));
          }),
      });
      relay = startRelay(bus.database, bus.publisher, () => undefined);
      await stage('tgt_handover');
      await waitFor('the first worker', () => holders.length === 1);
      const began = Date.now();
      await started.stop();
      await deploy('second', {
        run: async (work) => (holders.push('second'), work.finish(async () => undefined)),
      });
      await waitFor('every message to be done', async () => (await undone()) === 0, {
        timeoutMs: 9000,
      });
      expect(holders).toEqual(['first', 'second']);
      expect(Date.now() - began).toBeLessThan(6000);
    }, 20_000);

    it('refuses the result of a worker whose right was revoked', async () => {
      let release: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      let begun = 0;
      await deploy('revoked', {
        begin: async () => ++begun === 1,
        run: async (work) => {
          await held;
          await work.finish(
            async (tx) => void (await tx.execute("INSERT INTO event_streams VALUES ('late', 1)")),
          );
        },
      });
      await stage('tgt_revoked');
      await waitFor('the work to begin', () => begun === 1);
      const taken = 'SELECT 1 FROM leases WHERE holder IS NOT NULL';
      await waitFor('the lease to be taken', async () => (await own.query(taken)).length === 1);
      await own.query(
        "UPDATE leases SET epoch = nextval('epochs'), holder = NULL, expires_at = NULL",
      );
      release();
      relay = startRelay(bus.database, bus.publisher, () => undefined);
      await own.query('UPDATE messages SET publish_at = now()');
      await waitFor('every message to be done', async () => (await undone()) === 0, {
        timeoutMs: 15_000,
      });
      expect(await own.query('SELECT 1 FROM event_streams')).toEqual([]);
    }, 30_000);

    it('gives long work up at its fifth error, also where that takes the right to act away', async () => {
      const given: string[] = [];
      let begun = 0;
      await deploy('failing', {
        begin: async () => ((begun += 1), true),
        run: async () => Promise.reject(new Error('a defect')),
        dead: async (tx, { target_id }, reason) => {
          await revokeLeases(tx, [target_id]);
          given.push(reason);
        },
      });
      await stage('tgt_failing');
      const failed = 'SELECT 1 FROM messages WHERE errors = 1';
      await waitFor('the first error', async () => (await own.query(failed)).length === 1);
      await own.query('UPDATE messages SET errors = 4, publish_at = now()');
      relay = startRelay(bus.database, bus.publisher, () => undefined);
      await waitFor('every message to be done', async () => (await undone()) === 0);
      expect(given).toEqual(['an internal error, which the log describes']);
      expect(begun).toBe(2);
    }, 30_000);

    it('does not give up work that is alive, however often it was begun', async () => {
      let end: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (end = resolve));
      const note = (tx: Transaction, what: string) =>
        tx.execute('INSERT INTO event_streams VALUES (?, 1)', [what]);
      let begun = 0;
      await deploy('alive', {
        begin: async () => ((begun += 1), true),
        run: async (work) => {
          await held;
          await work.finish(async (tx) => void (await note(tx, 'finished')));
        },
        dead: async (tx) => void (await note(tx, 'given up')),
      });
      await stage('tgt_alive');
      await waitFor('the work to begin', () => begun === 1);
      await own.query('UPDATE messages SET claims = 10, publish_at = now()');
      const seen =
        "SELECT 1 FROM messages WHERE publishes > 0 AND publish_at > now() + interval '3 s'";
      relay = startRelay(bus.database, bus.publisher, () => undefined);
      await waitFor('a copy to be put off', async () => (await own.query(seen)).length === 1);
      end();
      await waitFor('every message to be done', async () => (await undone()) === 0);
      expect(await own.query('SELECT stream FROM event_streams')).toEqual([{ stream: 'finished' }]);
      expect(begun).toBe(1);
    }, 30_000);
  });
}
