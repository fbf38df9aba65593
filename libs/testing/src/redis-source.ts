import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { findRedis } from '@floy/local-servers/find-redis';
import { startRedis, type RunningRedis } from '@floy/local-servers/redis';
import { redisCommands, type RedisReply } from '@floy/local-servers/redis-wire';
import { dockerAnswers, startContainer } from './docker.js';
import { serverAt } from './server-at.js';
import { runFolder } from './test-run.js';

/** A Redis of a test file's own. */
export interface TestRedis {
  readonly url: string;
  /** What Redis answers to one command. */
  command(...words: string[]): Promise<RedisReply>;
  /** Forgets everything in it. */
  flush(): Promise<void>;
  stop(): Promise<void>;
  /** The process, to kill, stop and restart; only where it is one of this machine. */
  readonly server?: RunningRedis;
}

/** Where the tests' Redis comes from. */
export interface RedisSource {
  /** Shown at the end of the run. */
  readonly name: string;
  start(): Promise<TestRedis>;
}

const IMAGE = 'redis:7-alpine';

/** A given server, else a local program, else Docker; undefined when there is none of them. */
export async function redisSource(): Promise<RedisSource | undefined> {
  const given = process.env['FLOY_TEST_REDIS_URL'];
  if (given) return { name: 'FLOY_TEST_REDIS_URL', start: () => databaseOf(given) };
  const binary = await findRedis(process.env['PATH'] ?? '');
  if (binary) {
    return {
      name: `${binary.path} ${binary.version}`,
      start: async () => {
        const folder = join(runFolder(), `redis-${randomBytes(6).toString('hex')}`);
        const server = await startRedis({ folder, binary });
        return {
          server,
          url: server.url,
          command: server.command,
          flush: async () => void (await server.command('FLUSHALL')),
          stop: server.stop,
        };
      },
    };
  }
  if (await dockerAnswers()) return { name: `Docker (${IMAGE})`, start: inContainer };
  return undefined;
}

async function inContainer(): Promise<TestRedis> {
  const command = ['redis-server', '--appendonly', 'yes', '--maxmemory-policy', 'noeviction'];
  const container = await startContainer({ image: IMAGE, port: 6379, command });
  const ask = asker(`redis://${container.host}:${container.port}`);
  return {
    url: `redis://${container.host}:${container.port}/0`,
    command: (...words) => ask(0, words),
    flush: async () => void (await ask(0, ['FLUSHALL'])),
    stop: container.stop,
  };
}

/** One of the numbered databases of a shared server, held until `stop` or for an hour. */
async function databaseOf(url: string): Promise<TestRedis> {
  const ask = asker(url);
  for (let number = 1; number < 16; number += 1) {
    const holder = `floy-test:database-${number}`;
    if ((await ask(0, ['SET', holder, runFolder(), 'NX', 'EX', '3600'])) !== 'OK') continue;
    await ask(number, ['FLUSHDB']);
    const address = new URL(url);
    address.pathname = `/${number}`;
    return {
      url: address.href,
      command: (...words) => ask(number, words),
      flush: async () => void (await ask(number, ['FLUSHDB'])),
      stop: async () => void (await ask(0, ['DEL', holder])),
    };
  }
  throw new Error('Every database of FLOY_TEST_REDIS_URL is taken by another test file');
}

function asker(text: string): (database: number, words: string[]) => Promise<RedisReply> {
  const url = new URL(text);
  const words = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  const login = url.password ? [['AUTH', ...words.filter(Boolean)]] : [];
  return (database, command) =>
    redisCommands(serverAt(text), [...login, ['SELECT', String(database)], command]);
}
