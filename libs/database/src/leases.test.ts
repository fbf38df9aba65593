import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { createDatabase, type Database } from './database.js';
import { endLease, renewLeases, revokeLeases, takeLease } from './leases.js';

const describeHere = await needsPostgres();

describeHere('leases', () => {
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

  const take = (subject: string, holder: string, mayTakeOver = true) =>
    database.transaction((tx) => takeLease(tx, subject, { holder, mayTakeOver }));
  const taken = async (subject: string, holder: string, mayTakeOver = true) => {
    const attempt = await take(subject, holder, mayTakeOver);
    if (!attempt.taken) throw new Error(`${holder} did not get ${subject}`);
    return attempt.lease;
  };
  const expire = (subject: string) =>
    own.query("UPDATE leases SET expires_at = now() - interval '1 second' WHERE subject = $1", [
      subject,
    ]);
  const renew = (holder: string, leases: { subject: string; epoch: number }[]) =>
    renewLeases(
      async (sql, values) => {
        const rows = await own.query<{ subject: string; epoch: string; renewed: boolean }>(
          sql,
          values,
        );
        return { rows: rows.map((row) => ({ ...row, epoch: Number(row.epoch) })) };
      },
      holder,
      leases,
    );

  it('are held by one, and free again when they end', async () => {
    const lease = await taken('a', 'one');
    expect(await take('a', 'other')).toMatchObject({ taken: false });
    expect(await database.transaction((tx) => endLease(tx, lease))).toBe(true);
    expect((await taken('a', 'other')).epoch).toBeGreaterThan(lease.epoch);
  });

  it('are not handed to the same holder twice', async () => {
    await taken('twice', 'one');
    expect(await take('twice', 'one')).toMatchObject({ taken: false });
  });

  it('go to another only after they ran out, and only to a punctual one', async () => {
    const lease = await taken('b', 'one');
    await expire('b');
    expect(await take('b', 'late', false)).toMatchObject({ taken: false });
    const next = await taken('b', 'punctual');
    expect(next.epoch).toBeGreaterThan(lease.epoch);
    expect(await database.transaction((tx) => endLease(tx, lease))).toBe(false);
    expect(await renew('one', [lease])).toEqual([]);
  });

  it('may be renewed after they ran out, while nobody took them', async () => {
    const lease = await taken('c', 'one');
    await expire('c');
    expect(await renew('one', [lease])).toEqual([{ ...lease, renewed: true }]);
    expect(await take('c', 'other')).toMatchObject({ taken: false });
  });

  it('are renewed without waiting for the one that somebody has locked', async () => {
    const leases = [await taken('locked', 'one'), await taken('free', 'one')];
    await database.transaction(async (tx) => {
      await tx.execute("SELECT FROM leases WHERE subject = 'locked' FOR UPDATE");
      const kept = await renew('one', leases);
      expect(new Map(kept.map(({ subject, renewed }) => [subject, renewed]))).toEqual(
        new Map([
          ['locked', false],
          ['free', true],
        ]),
      );
    });
  });

  it('are gone when they are revoked', async () => {
    const lease = await taken('d', 'one');
    await database.transaction((tx) => revokeLeases(tx, ['d']));
    expect(await renew('one', [lease])).toEqual([]);
    expect((await taken('d', 'other', false)).epoch).toBeGreaterThan(lease.epoch);
  });

  it('have epochs of wall-clock milliseconds, also after a backup was restored', async () => {
    await own.query("SELECT setval('epochs', 5)");
    await own.query('SELECT raise_epoch()');
    expect((await taken('e', 'one')).epoch).toBeGreaterThanOrEqual(Date.now() - 60_000);
  });
});
