import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { migrate } from './migrate.js';

const describeHere = await needsPostgres();

describeHere('migrations', () => {
  let own: TestDatabase;
  beforeAll(async () => {
    own = await createTestDatabase('empty');
  });
  afterAll(() => own.drop());

  const installation = async () =>
    (await own.query<{ id: string }>('SELECT id FROM installation'))[0]?.id;

  it('run from several processes at once', async () => {
    await Promise.all([migrate(own.url), migrate(own.url), migrate(own.url)]);
    expect(await installation()).toMatch(/^floy_/);
  });

  it('run again change nothing, also behind one that was killed', async () => {
    const before = await installation();
    await own.query('UPDATE floy_migrations_lock SET is_locked = 1');
    await migrate(own.url);
    expect(await installation()).toBe(before);
  });
});
