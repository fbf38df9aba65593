import { afterAll, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from './database.js';
import { needsPostgres } from './needs.js';

const describePostgres = await needsPostgres();

describePostgres('databases for tests', () => {
  const made: TestDatabase[] = [];
  afterAll(() => Promise.all(made.map((database) => database.drop())));

  it('are copies of one migrated template, each on its own', async () => {
    let migrations = 0;
    const schema = {
      name: 'sample',
      migrate: async (url: string) => {
        migrations += 1;
        const { default: pg } = await import('pg');
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        await client.query('create table sample (x int)');
        await client.end();
      },
    };
    made.push(...(await Promise.all([createTestDatabase(schema), createTestDatabase(schema)])));
    const [first, second] = made;
    await first?.query('insert into sample values ($1)', [1]);
    expect(await second?.query('select * from sample')).toEqual([]);
    expect(await first?.query('select * from sample')).toEqual([{ x: 1 }]);
    expect(migrations).toBe(1);
  });

  it('can be empty', async () => {
    const empty = await createTestDatabase('empty');
    expect(await empty.query(`select from pg_tables where schemaname = 'public'`)).toEqual([]);
    await empty.drop();
    await expect(empty.query('select 1')).rejects.toThrow('does not exist');
  });
});
