import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { openTestRuntime, type TestRuntime } from './test-runtime.fixture.js';

const describeHere = await needsPostgres();

describeHere('a process whose hosts have taken every connection to Postgres', () => {
  let own: TestDatabase;
  let runtime: TestRuntime;
  beforeAll(async () => {
    own = await createTestDatabase();
    runtime = await openTestRuntime(own.url);
  });
  afterAll(async () => {
    await runtime.close();
    await own.drop();
  });

  it('answers who reads by connections of their own, and has everybody else wait and not fail', async () => {
    const { database } = runtime.deps;
    const api = runtime.apart('api', 2);
    let free = (): void => undefined;
    const gate = new Promise<void>((resolve) => (free = resolve));
    const taken = Array.from({ length: 16 }, () =>
      database.transaction(async (tx) => {
        await tx.execute('SET LOCAL idle_in_transaction_session_timeout = 0');
        await gate;
      }),
    );
    await waitFor('all to be taken', async () => database.poolDepth().inUse === 16);
    let answered = false;
    const waiting = database.knex.raw('SELECT 1').then(() => (answered = true));
    expect((await api.database.knex.raw('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    // Longer than a connection that cannot be made is waited for.
    setTimeout(free, 3500);
    await Promise.all(taken);
    await waiting;
    expect(answered).toBe(true);
    expect(api.database.answeredAt()).toBeGreaterThanOrEqual(database.answeredAt());
  });
});
