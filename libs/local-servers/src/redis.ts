import { lstat, mkdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { adoptServer, orEnd } from './adopt-server.js';
import type { RedisBinary } from './find-redis.js';
import { keptSecret, readIfThere } from './kept-file.js';
import { poll } from './poll.js';
import { endProcess, isAlive, sendSignal } from './process-table.js';
import { redisCommands, type RedisReply } from './redis-wire.js';
import { startServerProcess } from './server-process.js';
import { giveTo, openFolder, serverUser } from './server-user.js';
import { openSocketFolder } from './socket-folder.js';
import { socketUrl } from './socket-url.js';

/** Which Redis to run, and where. */
export interface StartRedis {
  /** Holds all of it: data, password, socket, log. One server at a time. */
  readonly folder: string;
  readonly binary: RedisBinary;
  /** Gives up the start; nothing runs when it then throws. */
  readonly signal?: AbortSignal;
}

/** A Redis of one's own. It outlives this process unless it is stopped. */
export interface RunningRedis {
  /** Holds the password. Stays the same over restarts. */
  readonly url: string;
  /** The socket it listens on, and on nothing else. */
  readonly socket: string;
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
  /** Stops (or after a kill: starts again), on the same socket with what was written down. */
  restart(): Promise<void>;
}

const SOCKET = 'redis.sock';
const START_MS = 30_000;
const STOP_STEPS = [
  { signal: 'SIGTERM', waitMs: 10_000 },
  { signal: 'SIGKILL', waitMs: 5000 },
] as const;

/**
 * Starts Redis on a folder as a queue needs it (append-only file, never evicting, on no port, with
 * a password), or adopts the one that runs there since an earlier process of ours was killed.
 */
export async function startRedis({
  folder: path,
  binary,
  signal,
}: StartRedis): Promise<RunningRedis> {
  const user = await serverUser();
  const folder = await openFolder(path, user);
  const sockets = await openSocketFolder(folder, SOCKET, user);
  await mkdir(join(folder, 'data'), { recursive: true, mode: 0o700 });
  const data = await realpath(join(folder, 'data'));
  await giveTo(user, data);
  const password = await keptSecret(join(folder, 'password'));
  const pidFile = join(data, 'redis.pid');
  const socket = join(sockets.path, SOCKET);

  const command = (...words: string[]): Promise<RedisReply> =>
    redisCommands({ path: socket }, [['AUTH', password], words]);

  async function answers(): Promise<true | undefined> {
    // While it loads its file it answers PING with an error.
    return (await command('PING').catch(() => undefined)) === 'PONG' ? true : undefined;
  }

  async function adopt(): Promise<number | undefined> {
    const pid = Number(await readIfThere(pidFile));
    if (!pid) return undefined;
    const isOnSocket = (await lstat(socket).catch(() => undefined))?.isSocket() === true;
    const how = { name: 'Redis', data, answers, timeoutMs: START_MS, signal };
    return adoptServer({ pid, isOnSocket, ...how, stopSteps: STOP_STEPS });
  }

  async function launch(): Promise<number> {
    await sockets.ensure();
    // Redis binds over the socket of a killed one; one of those would look like the new one's.
    await rm(socket, { force: true });
    const started = await startServerProcess({
      command: binary.path,
      args: ['-'],
      folder: data,
      logFile: join(folder, 'redis.log'),
      user,
      input: redisSettings({ data, pidFile, socket, password }),
    });
    const look = async () => {
      if (!(await isAlive(started.pid))) return 'ended' as const;
      return (await answers()) ? ('ready' as const) : undefined;
    };
    const outcome = await orEnd(started.pid, STOP_STEPS, () => poll(START_MS, look, { signal }));
    if (outcome !== 'ready') {
      await endProcess(started.pid, [{ signal: 'SIGKILL', waitMs: 5000 }]);
      throw new Error(`Redis did not start on ${data}; it said:\n${await started.said()}`);
    }
    return started.pid;
  }

  const running = await adopt();
  let pid = running ?? (await launch());
  return {
    url: socketUrl({ scheme: 'redis', password, path: socket, database: '0' }),
    socket,
    get pid() {
      return pid;
    },
    adopted: running !== undefined,
    command,
    stop: async () => {
      await endProcess(pid, STOP_STEPS);
      await sockets.leave();
    },
    kill: (signal) => void sendSignal(pid, signal),
    restart: async () => {
      await endProcess(pid, STOP_STEPS);
      pid = await launch();
    },
  };
}

/** Handed over on standard input, so that the password is in no file or command line of its own. */
function redisSettings(server: {
  data: string;
  pidFile: string;
  socket: string;
  password: string;
}): string {
  return [
    'port 0',
    `unixsocket ${JSON.stringify(server.socket)}`,
    'unixsocketperm 700',
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
