import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { changesOf, rowOf } from './statement.js';
import { createDatabase, type Database } from './database.js';

const describeHere = await needsPostgres();
const byId = 'SELECT * FROM things WHERE id = ?';

describeHere('the statements of a transaction', () => {
  let server: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    server = await createTestDatabase();
    database = createDatabase({ url: server.url, applicationName: 'test', poolSize: 3 });
    await database.knex.raw('CREATE TABLE things (id int PRIMARY KEY, name text)');
  });
  afterAll(async () => {
    await database.close();
    await server.drop();
  });

  it('prepares what comes again, and nothing that comes once', async () => {
    await database.transaction(async (tx) => {
      for (let use = 0; use < 10; use += 1) await tx.rows(byId, [use]);
      for (let size = 1; size < 10; size += 1) {
        await tx
          .knex('things')
          .insert(
            Array.from({ length: size }, (_, index) => ({ id: size * 100 + index, name: 'x' })),
          );
      }
      const prepared = await tx.rows<{ statement: string }>(
        "SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%things%'",
      );
      expect(prepared).toEqual([{ statement: 'SELECT * FROM things WHERE id = $1' }]);
    });
  });

  it('runs a transaction again whose statement was prepared before the schema grew', async () => {
    await database.knex('things').insert({ id: 1, name: 'one' });
    await database.transaction(async (tx) => {
      for (let use = 0; use < 10; use += 1) await tx.rows(byId, [1]);
    });
    await database.knex.raw('ALTER TABLE things ADD COLUMN size int DEFAULT 7');
    let runs = 0;
    const row = await database.transaction(async (tx) => {
      runs += 1;
      return tx.row(byId, [1]);
    });
    expect(row).toEqual({ id: 1, name: 'one', size: 7 });
    expect(runs).toBe(2);
  });

  it('carries out what is sent together in order, and fails by the first that fails', async () => {
    const nameOf = (id: number) =>
      rowOf<{ name: string }>('SELECT name FROM things WHERE id = ?', [id]);
    const answers = await database.transaction((tx) =>
      tx.together(
        changesOf("INSERT INTO things (id, name) VALUES (2, 'two')"),
        nameOf(2),
        changesOf('UPDATE things SET name = ? WHERE id = ?', ['zwei', 2]),
        nameOf(2),
      ),
    );
    expect(answers).toEqual([1, { name: 'two' }, 1, { name: 'zwei' }]);

    const failing = database.transaction((tx) =>
      tx.together(
        changesOf('DELETE FROM things WHERE id = ?', [2]),
        changesOf("INSERT INTO things (id, name) VALUES (1, 'again')"),
        changesOf('DELETE FROM things WHERE id = ?', [1]),
      ),
    );
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    const { rows } = await database.knex.raw<{ rows: object[] }>(
      'SELECT id FROM things WHERE id IN (1, 2) ORDER BY id',
    );
    expect(rows).toEqual([{ id: 1 }, { id: 2 }]);
  });
});
