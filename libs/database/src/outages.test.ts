import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { UnavailableError } from '@floy/domain';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { serverAt } from '@floy/testing/server-at';
import { startTcpProxy, type TcpProxy } from '@floy/testing/tcp-proxy';
import { waitFor } from '@floy/testing/wait-for';
import pg from 'pg';
import { createDatabase, type Database } from './database.js';
import { postgresError, SlowStatementError } from './outages.js';

const describeHere = await needsPostgres();

/** As Postgres says it. */
const said = (code: string) =>
  Object.assign(new pg.DatabaseError('as Postgres says it', 1, 'error'), { code });

const byName = (errors: Error[]) =>
  errors.map((error) => [(error as { code?: string }).code ?? error.message, error] as const);

describe('an error of pg', () => {
  const refused = { code: 'ECONNREFUSED', syscall: 'connect' };
  it.each(
    byName([
      said('57P01'),
      said('57P03'),
      said('08006'),
      said('53300'),
      said('25006'),
      Object.assign(new Error('connect'), refused),
      Object.assign(new AggregateError([Object.assign(new Error('connect'), refused)]), refused),
      Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND', syscall: 'getaddrinfo' }),
      new Error('Connection terminated due to connection timeout'),
      new Error('timeout exceeded when trying to connect'),
    ]),
  )('is an outage: %s', (_, error) => {
    const meant = postgresError(error);
    expect(meant).toBeInstanceOf(UnavailableError);
    expect(meant.cause).toBe(error);
  });

  it.each(byName([said('57014'), said('55P03'), said('25P03'), new Error('Query read timeout')]))(
    'is a limit on time: %s',
    (_, error) => expect(postgresError(error)).toBeInstanceOf(SlowStatementError),
  );

  it.each(
    byName([
      said('23505'),
      said('40P01'),
      said('08P01'),
      said('53400'),
      said('28P01'),
      said('3D000'),
      Object.assign(new Error('no such file'), { code: 'ENOENT', syscall: 'open' }),
      new AggregateError([new Error('one of several')]),
      new AggregateError([]),
      new TypeError('a value that cannot be sent'),
    ]),
  )('is itself: %s', (_, error) => expect(postgresError(error)).toBe(error));
});

describeHere('what is asked of a database', () => {
  let own: TestDatabase;
  let proxy: TcpProxy;
  let database: Database;
  beforeAll(async () => {
    own = await createTestDatabase('empty');
    proxy = await startTcpProxy(serverAt(own.url));
    database = createDatabase({ url: proxy.through(own.url), applicationName: 'test' });
    await own.query('CREATE TABLE things (id int PRIMARY KEY)');
  });
  afterAll(async () => {
    await database.close();
    await proxy.close();
    await own.drop();
  });

  const thrown = (work: Promise<unknown>): Promise<Error> =>
    work.then(
      () => new Error('nothing was thrown'),
      (error: Error) => error,
    );
  const ask = {
    'a transaction': () => database.transaction((tx) => tx.rows('SELECT 1 AS one')),
    'its knex': () => database.transaction(async (tx) => tx.knex.raw('SELECT 1')),
    knex: async () => database.knex.raw('SELECT 1'),
  };

  it.each(Object.keys(ask) as (keyof typeof ask)[])(
    'is UnavailableError while Postgres cannot be reached: %s',
    async (way) => {
      await ask[way]();
      proxy.cut();
      try {
        for (let time = 0; time < 3; time += 1) {
          const error = await thrown(ask[way]());
          expect(error).toBeInstanceOf(UnavailableError);
          // Users see it: no statement is in it.
          expect(error.message).toBe('The database cannot be reached right now');
        }
      } finally {
        proxy.heal();
      }
      await waitFor('an answer', ask[way]);
    },
  );

  it('is UnavailableError where the connection breaks in the middle', async () => {
    const error = await thrown(
      database.transaction(async (tx) => {
        const [session] = await tx.rows<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        await own.query('SELECT pg_terminate_backend($1)', [session?.pid]);
        await waitFor('its end', async () => {
          const sessions = 'SELECT FROM pg_stat_activity WHERE pid = $1';
          return (await own.query(sessions, [session?.pid])).length === 0;
        });
        return tx.rows('SELECT 1');
      }),
    );
    expect(error).toBeInstanceOf(UnavailableError);
    expect(error.cause).toMatchObject({ code: '57P01' });
  });

  it('is SlowStatementError where a limit on time is reached, also by being idle', async () => {
    const slow = database.transaction(async (tx) => {
      await tx.execute('SET LOCAL statement_timeout = 50');
      await tx.rows('SELECT pg_sleep(5)');
    });
    expect(await thrown(slow)).toBeInstanceOf(SlowStatementError);
    const idle = database.transaction(async (tx) => {
      const [session] = await tx.rows<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await tx.execute('SET LOCAL idle_in_transaction_session_timeout = 50');
      await waitFor('its end', async () => {
        const sessions = 'SELECT FROM pg_stat_activity WHERE pid = $1';
        return (await own.query(sessions, [session?.pid])).length === 0;
      });
      await tx.rows('SELECT 1');
    });
    expect(await thrown(idle)).toBeInstanceOf(SlowStatementError);
  });

  it('is itself where the statement is at fault', async () => {
    await own.query('INSERT INTO things VALUES (1)');
    const twice = database.knex('things').insert({ id: 1 });
    expect(await thrown(twice)).toMatchObject({ code: '23505', table: 'things' });
    const query = 'SELECT * FROM things WHERE id IN (?, ?)';
    const short = database.transaction((tx) => tx.rows(query, [1]));
    expect(await thrown(short)).toMatchObject({ code: '08P01' });
  });
});
