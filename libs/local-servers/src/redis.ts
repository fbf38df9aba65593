import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { adoptServer, orEnd, type ServerAt } from './adopt-server.js';
import type { RedisBinary } from './find-redis.js';
import { keptSecret, readIfThere } from './kept-file.js';
import { keptPort, samePort } from './kept-port.js';
import { poll } from './poll.js';
import { endProcess, isAlive, sendSignal } from './process-table.js';
import { redisCommands, type RedisReply } from './redis-wire.js';
import { startServerProcess } from './server-process.js';
import { giveTo, openFolder, serverUser } from './server-user.js';

/** Which Redis to run, and where. */
export interface StartRedis {
  /** Holds all of it: data, password, port, log. One server at a time. */
  readonly folder: string;
  readonly binary: RedisBinary;
  /** Gives up the start; nothing runs when it then throws. */
  readonly signal?: AbortSignal;
}

/** A Redis of one's own. It outlives this process unless it is stopped. */
export interface RunningRedis {
  /** Holds the password. Stays the same over restarts. */
  readonly url: string;
  readonly port: number;
  /** The server's process; another one after a restart. */
  readonly pid: number;
  /** Whether it was running before and was taken over. */
  readonly adopted: boolean;
  /** Sends one command, over a connection of its own. */
  command(...words: string[]): Promise<RedisReply>;
  /** Writes everything down and ends. */
  stop(): Promise<void>;
  /** Sends a signal to the server's process, as a crash would. */
  kill(signal: NodeJS.Signals): void;
  /** Stops (or after a kill: starts again), on the same port with what was written down. */
  restart(): Promise<void>;
}

const START_MS = 30_000;
const STOP_STEPS = [
  { signal: 'SIGTERM', waitMs: 10_000 },
  { signal: 'SIGKILL', waitMs: 5000 },
] as const;

/**
 * Starts Redis on a folder as a queue needs it (append-only file, never evicting, loopback, with a
 * password), or adopts the one that runs there since an earlier process of ours was killed.
 */
export async function startRedis({
  folder: path,
  binary,
  signal,
}: StartRedis): Promise<RunningRedis> {
  const user = await serverUser();
  const folder = await openFolder(path, user);
  await mkdir(join(folder, 'data'), { recursive: true, mode: 0o700 });
  const data = await realpath(join(folder, 'data'));
  await giveTo(user, data);
  const password = await keptSecret(join(folder, 'password'));
  const pidFile = join(data, 'redis.pid');
  const portFile = join(folder, 'port');

  const ask = (port: number, ...words: string[]): Promise<RedisReply> =>
    redisCommands({ host: '127.0.0.1', port }, [['AUTH', password], words]);

  async function answers(port: number): Promise<true | undefined> {
    // While it loads its file it answers PING with an error.
    return (await ask(port, 'PING').catch(() => undefined)) === 'PONG' ? true : undefined;
  }

  async function adopt(): Promise<ServerAt | undefined> {
    const pid = Number(await readIfThere(pidFile));
    const port = Number(await readIfThere(portFile));
    if (!pid || !port) return undefined;
    const how = { name: 'Redis', data, answers, timeoutMs: START_MS, signal };
    return adoptServer({ pid, port, ...how, stopSteps: STOP_STEPS });
  }

  async function launch(choosePort: () => Promise<number>): Promise<ServerAt> {
    const port = await choosePort();
    const started = await startServerProcess({
      command: binary.path,
      args: ['-'],
      folder: data,
      logFile: join(folder, 'redis.log'),
      user,
      input: redisSettings({ data, pidFile, port, password }),
    });
    const look = async () => {
      if (!(await isAlive(started.pid))) return 'ended' as const;
      return (await answers(port)) ? ('ready' as const) : undefined;
    };
    const outcome = await orEnd(started.pid, STOP_STEPS, () => poll(START_MS, look, { signal }));
    if (outcome !== 'ready') {
      await endProcess(started.pid, [{ signal: 'SIGKILL', waitMs: 5000 }]);
      throw new Error(`Redis did not start on ${data}; it said:\n${await started.said()}`);
    }
    return { pid: started.pid, port };
  }

  const running = await adopt();
  let server = running ?? (await launch(() => keptPort(portFile)));
  const stop = (): Promise<void> => endProcess(server.pid, STOP_STEPS);
  return {
    get url() {
      return `redis://:${password}@127.0.0.1:${server.port}/0`;
    },
    get port() {
      return server.port;
    },
    get pid() {
      return server.pid;
    },
    adopted: running !== undefined,
    command: (...words) => ask(server.port, ...words),
    stop,
    kill: (signal) => void sendSignal(server.pid, signal),
    restart: async () => {
      await stop();
      const { port } = server;
      server = await launch(() => samePort(port));
    },
  };
}

/** Handed over on standard input, so that the password is in no file or command line of its own. */
function redisSettings(server: {
  data: string;
  pidFile: string;
  port: number;
  password: string;
}): string {
  return [
    'bind 127.0.0.1',
    `port ${server.port}`,
    'protected-mode yes',
    `requirepass ${server.password}`,
    `dir ${JSON.stringify(server.data)}`,
    // Written by the server itself before it touches its data: found again after any crash.
    `pidfile ${JSON.stringify(server.pidFile)}`,
    'daemonize no',
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    'maxmemory-policy noeviction',
    'loglevel warning',
    '',
  ].join('\n');
}
