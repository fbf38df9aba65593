import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { needs, needsPostgres } from '@floy/testing/needs';
import { findRedis } from './find-redis.js';
import { freePort } from './free-port.js';
import { startPostgres } from './postgres.js';
import { waitForExit } from './process-table.js';
import { startRedis } from './redis.js';

const binary = await findRedis(process.env['PATH'] ?? '');
const describePostgres = await needsPostgres();
const describeRedis = await needs(
  'redis as a local program',
  binary?.path,
  'install redis-server (6.2 or later)',
);

let folder: string;
let heard: string[];
let port: number;
const listener = createServer((socket) => {
  heard.push('somebody has connected');
  socket.on('data', (chunk) => heard.push(chunk.toString('latin1')));
});

beforeEach(async () => {
  heard = [];
  folder = await realpath(await mkdtemp(join(tmpdir(), 'floy-port-')));
  await chmod(folder, 0o711);
  // As an earlier Floy kept its port.
  port = await freePort();
  await writeFile(join(folder, 'port'), `${port}\n`);
});
afterEach(async () => {
  await new Promise((resolve) => listener.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

interface Server {
  readonly pid: number;
  kill(signal: 'SIGKILL'): void;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

async function attack(start: () => Promise<Server>): Promise<void> {
  const server = await start();
  try {
    server.kill('SIGKILL');
    expect(await waitForExit(server.pid, 5000)).toBe(true);
    await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve));
    expect((listener.address() as AddressInfo).port).toBe(port);
    await server.restart();
    expect(heard).toEqual([]);
  } finally {
    await server.stop();
  }
}

describePostgres('somebody who listens on the port of a Postgres that has died', () => {
  it('hears nothing, and Postgres comes back', async () => {
    const database = `floy_${randomBytes(4).toString('hex')}`;
    await attack(() => startPostgres({ folder, durable: false, database }));
  }, 30_000);
});

describeRedis('somebody who listens on the port of a Redis that has died', () => {
  it('hears nothing, and Redis comes back', async () => {
    if (binary === undefined) throw new Error('no redis-server');
    await attack(() => startRedis({ folder, binary }));
  });
});
