import { chmod, mkdtemp, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { needs } from '@floy/testing/needs';
import { findRedis } from './find-redis.js';
import { waitForExit } from './process-table.js';
import { redisCommands } from './redis-wire.js';
import { startRedis, type RunningRedis } from './redis.js';

const binary = await findRedis(process.env['PATH'] ?? '');

/** Only a program of this machine will do here. */
const describeRedis = await needs(
  'redis as a local program',
  binary?.path,
  'install redis-server (6.2 or later)',
);

describe('finding a Redis', () => {
  it('answers undefined for programs that are none', async () => {
    expect((await findRedis('/nonexistent'))?.path).toBe(binary?.path);
  });
});

describeRedis('a local Redis', () => {
  let folder: string;
  let server: RunningRedis;
  const start = (): Promise<RunningRedis> => {
    if (binary === undefined) throw new Error('no redis-server');
    return startRedis({ folder, binary });
  };
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'floy-redis-')));
    await chmod(folder, 0o711);
    server = await start();
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('never evicts, appends to a file and asks for a password', async () => {
    expect(await server.command('CONFIG', 'GET', 'maxmemory-policy')).toContain('noeviction');
    expect(await server.command('CONFIG', 'GET', 'appendonly')).toContain('yes');
    await expect(redisCommands({ path: server.socket }, [['PING']])).rejects.toThrow('NOAUTH');
  });

  it('listens on no port, and on a socket that only its folder’s owner reaches', async () => {
    expect(await server.command('CONFIG', 'GET', 'port')).toEqual(['port', '0']);
    expect((await stat(dirname(server.socket))).mode & 0o777).toBe(0o700);
  });

  it('is adopted by a later start on the same folder', async () => {
    const again = await start();
    expect(again.adopted).toBe(true);
    expect([again.pid, again.url]).toEqual([server.pid, server.url]);
  });

  it('keeps data and address over a restart and a crash', async () => {
    await server.command('SET', 'key', 'value\r\nof two lines');
    const { url } = server;
    await server.restart();
    expect(server.url).toBe(url);
    expect(await server.command('GET', 'key')).toBe('value\r\nof two lines');
    server.kill('SIGKILL');
    expect(await waitForExit(server.pid, 5000)).toBe(true);
    server = await start();
    expect(server.adopted).toBe(false);
    expect(await server.command('GET', 'key')).toBe('value\r\nof two lines');
  });
});
