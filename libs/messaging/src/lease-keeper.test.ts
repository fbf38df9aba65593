import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { takeLease } from '@floy/database/leases';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { openBus, type Bus } from './bus.fixture.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { recordWork } from './recorded-work.fixture.js';

const describeHere = await needsPostgres();

describeHere('the keeper of leases', () => {
  let own: TestDatabase;
  let bus: Bus;
  let keeper: LeaseKeeper;
  const { told, observer } = recordWork();

  beforeAll(async () => {
    own = await createTestDatabase();
    bus = await openBus(own.url, observer);
    keeper = bus.keeper('one');
    await waitFor('its session lock', () => keeper.taker());
  });
  afterAll(async () => {
    await keeper.stop();
    await bus.close();
    await own.drop();
  });

  const hold = async (subject: string) => {
    const since = performance.now();
    const attempt = await bus.database.transaction((tx) => takeLease(tx, subject, keeper.taker()));
    if (!attempt.taken) throw new Error(`${subject} was not to be had`);
    return keeper.hold(attempt.lease, since);
  };

  it('takes a long transaction on one of them for no outage, and renews the others', async () => {
    const locked = await hold('locked');
    await hold('free');
    const renewals = new Set<string>();
    await bus.database.transaction((tx) =>
      waitFor('three renewals', async () => {
        await tx.execute("SELECT FROM leases WHERE subject = 'locked' FOR UPDATE");
        const [row] = await own.query<{ at: string }>(
          "SELECT expires_at::text AS at FROM leases WHERE subject = 'free'",
        );
        return renewals.add(row?.at ?? '').size > 3;
      }),
    );
    expect(told.outages).toEqual([]);
    expect(locked.signal.aborted).toBe(false);
    expect(keeper.isConnected()).toBe(true);
  }, 60_000);
});
