import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { serverAt } from '@floy/testing/server-at';
import { startTcpProxy, type TcpProxy } from '@floy/testing/tcp-proxy';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createDatabase, type Database } from './database.js';
import { createTaskLogStore } from './task-log-store.js';

const describeHere = await needsPostgres();

describeHere('the logs of many hosts', () => {
  let own: TestDatabase;
  let proxy: TcpProxy;
  let database: Database;
  const lost: unknown[] = [];
  beforeAll(async () => {
    own = await createTestDatabase();
    await own.query('ALTER TABLE task_logs DROP CONSTRAINT task_logs_task_id_fkey');
    proxy = await startTcpProxy(serverAt(own.url));
    const url = proxy.through(own.url);
    database = createDatabase({ url, applicationName: 'test', poolSize: 2 });
  });
  afterAll(async () => {
    await database.close();
    await proxy.close();
    await own.drop();
  });
  const open = () => createTaskLogStore(database, (error) => lost.push(error));
  const stored = (taskId: string) =>
    own.query<{ seq: string; source: string; text: string }>(
      'SELECT seq, source, text FROM task_logs WHERE task_id = $1 ORDER BY seq',
      [taskId],
    );

  it('are written whole and in order, while every connection is taken for longer than one waits for it', async () => {
    const store = open();
    const [gate, free] = gateOf();
    // As many hosts that end at once: they wait for one row.
    const holders = [0, 1].map(() =>
      database.transaction(async (tx) => {
        await tx.execute('SET LOCAL idle_in_transaction_session_timeout = 0');
        await gate;
      }),
    );
    await waitFor('both to be taken', async () => database.poolDepth().inUse === 2);
    for (let line = 0; line < 500; line += 1) {
      for (const source of ['one', 'two'])
        store.add({ taskId: 'task_busy', source, text: `${source} ${line}\n` });
    }
    setTimeout(free, 3500);
    await store.flush();
    await Promise.all(holders);
    expect(lost).toEqual([]);
    const rows = await stored('task_busy');
    expect(rows.map(({ seq }) => Number(seq))).toEqual(rows.map((_, index) => index + 1));
    for (const source of ['one', 'two']) {
      const text = rows.filter((row) => row.source === source).map((row) => row.text);
      const lines = Array.from({ length: 500 }, (_, line) => `${source} ${line}\n`);
      expect(text.join('')).toBe(lines.join(''));
    }
    await store.close();
  });

  it('are not lost where Postgres is away for a while', async () => {
    const store = open();
    store.add({ taskId: 'task_away', source: 'one', text: 'before\n' });
    await store.flush();
    proxy.cut();
    store.add({ taskId: 'task_away', source: 'one', text: 'meanwhile\n' });
    await waitFor(
      'a try',
      async () => (await database.knex.raw('SELECT 1').catch(() => 'away')) === 'away',
    );
    proxy.heal();
    await store.flush();
    expect((await stored('task_away')).map(({ text }) => text).join('')).toBe(
      'before\nmeanwhile\n',
    );
    expect(lost).toEqual([]);
    await store.close();
  });

  it('hold up who prints more than Postgres takes, and lose only what is printed all the same', async () => {
    const store = open();
    const megabyte = 'x'.repeat(1024 * 1024);
    expect(store.room()).toBeUndefined();
    for (let size = 0; size < 16; size += 1) {
      store.add({ taskId: 'task_much', source: `${size}`, text: megabyte });
    }
    const room = store.room();
    expect(room).toBeDefined();
    expect(lost).toEqual([]);
    store.add({ taskId: 'task_much', source: 'late', text: 'too much' });
    expect(lost.splice(0)).toHaveLength(1);
    await room;
    await store.close();
    expect(await stored('task_much')).toHaveLength(16);
  });

  it('do not lose those of one task for what is wrong with another', async () => {
    const store = open();
    await own.query("ALTER TABLE task_logs ADD CHECK (task_id <> 'task_wrong')");
    store.add({ taskId: 'task_wrong', source: 'one', text: 'wrong' });
    store.add({ taskId: 'task_right', source: 'one', text: 'right' });
    await store.flush();
    expect((await stored('task_right')).map(({ text }) => text)).toEqual(['right']);
    expect(lost.splice(0)).toHaveLength(1);
    await store.close();
  });
});

function gateOf(): [Promise<void>, () => void] {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  return [gate, open];
}
