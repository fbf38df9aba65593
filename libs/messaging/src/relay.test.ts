import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createDatabase, type Database } from '@floy/database/database';
import { takeLease } from '@floy/database/leases';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { startRelay, type Backlog } from './relay.js';

const describeHere = await needsPostgres();

describeHere('what the relay tells of', () => {
  let own: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    own = await createTestDatabase();
    database = createDatabase({ url: own.url, applicationName: 'test' });
  });
  afterAll(async () => {
    await database.close();
    await own.drop();
  });

  it('is what is due and in no hands', async () => {
    const ids = { instance_id: 'i', deployment_id: 'd' };
    await database.transaction(async (tx) => {
      tx.send('stage-instance', { ...ids, target_id: 'waits' });
      tx.send('stage-instance', { ...ids, target_id: 'waits longer' });
      tx.send('stage-instance', { ...ids, target_id: 'in work' });
      tx.send('stage-instance', { ...ids, target_id: 'not yet' }, new Date(Date.now() + 60_000));
      tx.send('advance-deployment', { deployment_id: 'd' });
      await takeLease(tx, 'in work', { holder: 'one', mayTakeOver: false });
    });
    await own.query("UPDATE messages SET done_at = now() WHERE kind = 'advance-deployment'");
    await own.query("UPDATE messages SET due_at = now() - interval '1 h' WHERE subject ~ 'longer'");
    const told: Backlog[][] = [];
    const relay = startRelay(
      database,
      { publish: async () => undefined, ownKinds: () => [] },
      () => undefined,
      (backlog) => told.push(backlog),
    );
    await waitFor('the first look', () => told.length > 0);
    await relay.stop();
    expect(told).toMatchObject([[{ kind: 'stage-instance', waiting: 2 }]]);
    expect(told[0]?.[0]?.oldestSeconds).toBeGreaterThanOrEqual(3600);
    expect(told[0]?.[0]?.oldestSeconds).toBeLessThan(3660);
  });

  it('leaves alone what only a newer Floy beside this one knows', async () => {
    await own.query('UPDATE messages SET done_at = now()');
    await database.transaction(async (tx) => tx.send('start-deployment', { deployment_id: 'old' }));
    await database.transaction(async (tx) => tx.send('start-deployment', { deployment_id: 'new' }));
    await own.query(
      "UPDATE messages SET publish_at = now(), kind = CASE subject WHEN 'new' THEN 'of-tomorrow' ELSE kind END WHERE done_at IS NULL",
    );
    const published: string[] = [];
    const publisher = {
      ownKinds: () => [],
      publish: async (messages: { kind: string }[]) =>
        void published.push(...messages.map(({ kind }) => kind)),
    };
    const relay = startRelay(database, publisher, () => undefined);
    await waitFor('the message that is known', () => published.length > 0);
    await relay.stop();
    expect(published).toEqual(['start-deployment']);
    const untouched = "SELECT publishes FROM messages WHERE kind = 'of-tomorrow'";
    expect(await own.query(untouched)).toEqual([{ publishes: 0 }]);
  });
});
