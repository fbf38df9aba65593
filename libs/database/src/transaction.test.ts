import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import type { OutgoingMessage } from './after-commit.js';
import { createDatabase, type Database } from './database.js';
import { changesOf, rowOf, rowsOf } from './statement.js';
import type { Transaction } from './transaction.js';

const describeHere = await needsPostgres();

describeHere('a transaction', () => {
  let own: TestDatabase;
  let database: Database;
  const published: OutgoingMessage[] = [];
  beforeAll(async () => {
    own = await createTestDatabase();
    const publisher = {
      publish: async (messages: OutgoingMessage[]) => void published.push(...messages),
    };
    database = createDatabase({ url: own.url, applicationName: 'test', publisher });
  });
  afterAll(async () => {
    await database.close();
    await own.drop();
  });

  it('publishes what it sent after its commit, and keeps timers for the relay', async () => {
    await database.transaction(async (tx) => {
      tx.send('start-deployment', { deployment_id: 'dep_now' });
      tx.send('start-deployment', { deployment_id: 'dep_later' }, new Date(Date.now() + 60_000));
      expect(published).toEqual([]);
    });
    await database.flushed();
    const rows = await own.query<{ id: string; subject: string }>(
      'SELECT id, subject FROM messages ORDER BY id',
    );
    expect(rows.map(({ subject }) => subject)).toEqual(['dep_now', 'dep_later']);
    expect(published).toEqual([{ id: rows[0]?.id, kind: 'start-deployment', claims: 0 }]);
  });

  it('leaves no message and no event behind when it fails', async () => {
    const failing = database.transaction(async (tx) => {
      tx.send('start-deployment', { deployment_id: 'dep_failed' });
      tx.event({ stream: 'failed', type: 'deployment.settled', subject: 'x' });
      throw new Error('a reason');
    });
    await expect(failing).rejects.toThrow('a reason');
    expect(await own.query("SELECT 1 FROM messages WHERE subject = 'dep_failed'")).toEqual([]);
    expect(await own.query("SELECT 1 FROM events WHERE stream = 'failed'")).toEqual([]);
  });

  it('numbers events of a stream without a gap, in the order of the commits', async () => {
    await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        database.transaction(async (tx) => {
          tx.event({ stream: 'busy', type: 'deployment.paused', subject: String(n) });
          tx.event({ stream: 'busy', type: 'deployment.resumed', subject: String(n) });
        }),
      ),
    );
    const rows = await own.query<{ seq: string; type: string; subject: string }>(
      "SELECT seq, type, subject FROM events WHERE stream = 'busy' ORDER BY seq",
    );
    expect(rows.map(({ seq }) => Number(seq))).toEqual(Array.from({ length: 60 }, (_, n) => n + 1));
    for (let n = 0; n < rows.length; n += 2) {
      expect([rows[n]?.type, rows[n + 1]?.type]).toEqual([
        'deployment.paused',
        'deployment.resumed',
      ]);
      expect(rows[n]?.subject).toBe(rows[n + 1]?.subject);
    }
  });

  it('runs again after a deadlock', async () => {
    await own.query("INSERT INTO event_streams VALUES ('one', 0), ('two', 0)");
    const runs = { forward: 0, backward: 0 };
    const met: Record<string, () => void> = {};
    const bothHold = (['forward', 'backward'] as const).map(
      (name) => new Promise<void>((resolve) => (met[name] = resolve)),
    );
    const lock = (name: 'forward' | 'backward', order: [string, string]) =>
      database.transaction(async (tx) => {
        runs[name] += 1;
        await tx.execute('UPDATE event_streams SET seq = seq + 1 WHERE stream = ?', [order[0]]);
        met[name]?.();
        await Promise.all(bothHold);
        await tx.execute('UPDATE event_streams SET seq = seq + 1 WHERE stream = ?', [order[1]]);
      });
    await Promise.all([lock('forward', ['one', 'two']), lock('backward', ['two', 'one'])]);
    // On a busy machine the one that runs again may meet the other once more.
    expect(runs.forward + runs.backward).toBeGreaterThan(2);
    const rows = await own.query<{ seq: string }>(
      "SELECT seq FROM event_streams WHERE stream IN ('one', 'two')",
    );
    expect(rows.map(({ seq }) => Number(seq))).toEqual([2, 2]);
  });

  it('carries nothing out that is asked for after it failed', async () => {
    await own.query('CREATE TABLE late (id int)');
    let late: Promise<unknown> = Promise.resolve();
    const failing = database.transaction(async (tx) => {
      late = tx
        .execute('INSERT INTO late VALUES (1)')
        .then(() => tx.execute('INSERT INTO late VALUES (?)', [2]))
        .then(() => new Promise((resolve) => setImmediate(resolve)))
        .then(() => tx.execute('INSERT INTO late VALUES (?)', [3]));
      late.catch(() => undefined);
      throw new Error('a reason');
    });
    await expect(failing).rejects.toThrow('a reason');
    await expect(late).rejects.toThrow('The transaction is over');
    expect(await own.query('SELECT id FROM late')).toEqual([]);
  });

  it('has not happened where only what goes with its commit fails', async () => {
    await own.query('CREATE TABLE half (id int PRIMARY KEY)');
    published.length = 0;
    const failing = database.transaction(async (tx) => {
      await tx.execute('INSERT INTO half VALUES (?)', [1]);
      tx.atEnd('INSERT INTO half VALUES (?)', [1]);
      tx.send('start-deployment', { deployment_id: 'dep_half' });
    });
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    await database.flushed();
    expect(published).toEqual([]);
    expect(await own.query('SELECT id FROM half')).toEqual([]);
  });

  it('has not happened where a statement failed and nobody minded', async () => {
    await own.query('CREATE TABLE minded (id int PRIMARY KEY)');
    const hiding = database.transaction(async (tx) => {
      await tx.execute('INSERT INTO minded VALUES (?)', [1]);
      await tx.execute('INSERT INTO minded VALUES (?)', [1]).catch(() => undefined);
    });
    await expect(hiding).rejects.toThrow('rolled back');
    expect(await own.query('SELECT id FROM minded')).toEqual([]);
  });

  it('refuses queries of its own after its end', async () => {
    let late: Transaction['knex'] | undefined;
    await database.transaction(async ({ knex }) => {
      late = knex;
      expect(await knex('minded').select('id')).toEqual([]);
    });
    await expect(late?.('minded').insert({ id: 2 })).rejects.toThrow('The transaction is over');
    expect(await own.query('SELECT id FROM minded')).toEqual([]);
  });

  it('fails with its connection, and the next one goes on with another', async () => {
    const cut = database.transaction(async (tx) => {
      const backend = await tx.row<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await tx.execute('INSERT INTO minded VALUES (?)', [3]);
      await own.query(`SELECT pg_terminate_backend(${backend?.pid})`);
      await tx.execute('INSERT INTO minded VALUES (?)', [4]);
    });
    await expect(cut).rejects.toThrow();
    await database.transaction((tx) => tx.execute('INSERT INTO minded VALUES (?)', [5]));
    expect(await own.query('SELECT id FROM minded')).toEqual([{ id: 5 }]);
  });

  it('refuses a statement while another one is not answered yet', async () => {
    const unordered = database.transaction((tx) =>
      Promise.all([tx.execute('SELECT 1'), tx.knex('minded').select('id')]),
    );
    await expect(unordered).rejects.toThrow('is not answered yet');
  });

  it('carries out statements together in their order, each seeing those before it', async () => {
    const [inserted, seen, left] = await database.transaction((tx) =>
      tx.together(
        changesOf('INSERT INTO minded VALUES (?), (?)', [8, 9]),
        rowsOf<{ id: number }>('SELECT id FROM minded WHERE id > 7 ORDER BY id'),
        rowOf<{ n: number }>(
          'WITH gone AS (DELETE FROM minded WHERE id > 7 RETURNING 1) SELECT count(*)::int AS n FROM gone',
        ),
      ),
    );
    expect([inserted, seen, left]).toEqual([2, [{ id: 8 }, { id: 9 }], { n: 2 }]);
  });
});
