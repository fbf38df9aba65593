import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startPostgres, type RunningPostgres } from './postgres.js';
import { isAlive, waitForExit } from './process-table.js';

let folder: string;
let server: RunningPostgres;

async function query(sql: string, url = server.url): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows as unknown[][];
  } finally {
    await client.end();
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'floy-pg-'));
  await chmod(folder, 0o711);
  server = await startPostgres({ folder, durable: false });
}, 60_000);

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('embedded Postgres', () => {
  it('is Postgres 18 in UTF8 with byte order, behind a password in a file of one’s own', async () => {
    const [row] = await query(
      `select current_setting('server_version_num')::int / 10000, current_setting('server_encoding'),
       datcollate, current_user from pg_database where datname = current_database()`,
    );
    expect(row).toEqual([18, 'UTF8', 'C', 'floy']);
    expect((await stat(join(folder, 'password'))).mode & 0o777).toBe(0o600);
    await expect(query('select 1', server.url.replace(/:[0-9a-f]+@/, ':wrong@'))).rejects.toThrow(
      'password authentication failed',
    );
  });

  it('is adopted by a later start on the same folder', async () => {
    const again = await startPostgres({ folder, durable: false });
    expect(again.adopted).toBe(true);
    expect([again.pid, again.url]).toEqual([server.pid, server.url]);
  });

  it('keeps its data and address over a restart', async () => {
    await query('create table kept (x int); insert into kept values (7)');
    const { pid, url } = server;
    await server.restart();
    expect(server.pid).not.toBe(pid);
    expect(server.url).toBe(url);
    expect(await query('select x from kept')).toEqual([[7]]);
  });

  it('starts again after it was killed, also while its number is another process’ by now', async () => {
    server.kill('SIGKILL');
    expect(await waitForExit(server.pid, 5000)).toBe(true);
    const pidFile = join(folder, 'cluster/data/postmaster.pid');
    const lines = (await readFile(pidFile, 'utf8')).split('\n');
    await writeFile(pidFile, [process.pid, ...lines.slice(1)].join('\n'));
    server = await startPostgres({ folder, durable: false });
    expect(server.adopted).toBe(false);
    expect(await query('select x from kept')).toEqual([[7]]);
  });

  it('listens on no port, and on a socket that only its folder’s owner reaches', async () => {
    const [row] = await query(
      "select current_setting('listen_addresses'), current_setting('unix_socket_directories')",
    );
    expect(row).toEqual(['', `"${dirname(server.socket)}"`]);
    expect((await stat(dirname(server.socket))).mode & 0o777).toBe(0o700);
    expect(Buffer.byteLength(server.socket)).toBeLessThan(100);
  });

  it('ends one of an earlier Floy, which listens on a port, and goes on with its data', async () => {
    const { pid } = server;
    const pidFile = join(folder, 'cluster/data/postmaster.pid');
    const lines = (await readFile(pidFile, 'utf8')).split('\n');
    await writeFile(pidFile, lines.with(4, '').with(5, '127.0.0.1').join('\n'));
    server = await startPostgres({ folder, durable: false });
    expect(server.adopted).toBe(false);
    expect(await isAlive(pid)).toBe(false);
    expect(await query('select x from kept')).toEqual([[7]]);
  });
});

describe('a Postgres whose folder is far down', () => {
  it('has a short socket, which a crash and a tidied /tmp do not cost it', async () => {
    const deep = join(folder, 'd'.repeat(100));
    await mkdir(deep, { mode: 0o711 });
    let far = await startPostgres({ folder: deep, durable: false });
    try {
      const { url, socket } = far;
      expect(Buffer.byteLength(socket)).toBeLessThan(100);
      expect((await stat(dirname(socket))).mode & 0o777).toBe(0o700);
      far.kill('SIGKILL');
      expect(await waitForExit(far.pid, 5000)).toBe(true);
      await rm(dirname(socket), { recursive: true });
      await far.restart();
      expect(await query('select 1', url)).toEqual([[1]]);
      far = await startPostgres({ folder: deep, durable: false });
      expect([far.adopted, far.url]).toEqual([true, url]);
    } finally {
      await far.stop();
    }
    expect(existsSync(dirname(far.socket))).toBe(false);
  }, 30_000);
});
