import { realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { adoptServer, orEnd } from './adopt-server.js';
import { neededSecret } from './kept-file.js';
import { poll } from './poll.js';
import { CLUSTER, ensureCluster, hasCluster, POSTGRES_ROLE } from './postgres-cluster.js';
import { postgresBinaries } from './postgres-binaries.js';
import { answersQueries, ensureDatabase, findPostmaster } from './postgres-probe.js';
import {
  POSTGRES_PORT,
  POSTGRES_SOCKET,
  postgresSettings,
  type PostgresOptions,
} from './postgres-settings.js';
import { endProcess, isAlive, sendSignal } from './process-table.js';
import { startServerProcess } from './server-process.js';
import { openFolder, serverUser } from './server-user.js';
import { openSocketFolder } from './socket-folder.js';
import { socketUrl } from './socket-url.js';

/** Where and how to run an embedded Postgres. */
export interface StartPostgres extends Partial<PostgresOptions> {
  /** Holds all of it: data, password, socket, log. One server at a time. */
  readonly folder: string;
  /** Made if it is not there. */
  readonly database?: string;
  /** Gives up the start; nothing runs when it then throws. */
  readonly signal?: AbortSignal;
}

/** A Postgres of one's own. It outlives this process unless it is stopped. */
export interface RunningPostgres {
  /** Connects as the owner of everything; holds the password. Stays the same over restarts. */
  readonly url: string;
  /** The socket it listens on, and on nothing else. */
  readonly socket: string;
  /** The server's process; another one after a restart. */
  readonly pid: number;
  /** Whether it was running before and was taken over. */
  readonly adopted: boolean;
  /** Ends every connection, writes everything down and ends. */
  stop(): Promise<void>;
  /** Sends a signal to the server's process, as a crash would. */
  kill(signal: NodeJS.Signals): void;
  /** Stops (or after a kill: starts again), on the same socket. */
  restart(): Promise<void>;
}

const START_MS = 60_000;
const STOP_STEPS = [
  { signal: 'SIGINT', waitMs: 20_000 },
  { signal: 'SIGQUIT', waitMs: 5000 },
  { signal: 'SIGKILL', waitMs: 5000 },
] as const;

/**
 * Starts Postgres on a folder, or adopts the one that runs there since an earlier process of ours
 * was killed. Answers when it has answered a query.
 */
export async function startPostgres(options: StartPostgres): Promise<RunningPostgres> {
  const { signal } = options;
  const user = await serverUser();
  const folder = await openFolder(options.folder, user);
  const sockets = await openSocketFolder(folder, POSTGRES_SOCKET, user);
  const durable = options.durable ?? true;
  const logFile = join(folder, 'postgres.log');
  const password = await neededSecret(join(folder, 'password'), hasCluster(folder));
  const { initdb, postgres } = await postgresBinaries(folder, user);
  const cluster = join(folder, CLUSTER);
  const data = await realpath(
    await ensureCluster({ initdb, folder: cluster, user, password, durable }),
  );
  const socket = join(sockets.path, POSTGRES_SOCKET);
  const urlOf = (name: string): string =>
    socketUrl({
      ...{ scheme: 'postgres', user: POSTGRES_ROLE, password, path: sockets.path },
      ...{ port: POSTGRES_PORT, database: name },
    });

  const answers = () => answersQueries(urlOf('postgres'));

  async function adopt(): Promise<number | undefined> {
    const found = await findPostmaster(data);
    if (found === undefined) return undefined;
    const isOnSocket = found.socketFolder === sockets.path;
    const how = { name: 'Postgres', data, answers, timeoutMs: START_MS, signal };
    return adoptServer({ pid: found.pid, isOnSocket, ...how, stopSteps: STOP_STEPS });
  }

  async function launch(): Promise<number> {
    const deadline = performance.now() + START_MS;
    for (;;) {
      await sockets.ensure();
      // Whoever has the number in a stale file would make Postgres refuse to start.
      if ((await findPostmaster(data)) === undefined) {
        const stale = [join(data, 'postmaster.pid'), socket, `${socket}.lock`];
        await Promise.all(stale.map((file) => rm(file, { force: true })));
      }
      const started = await startServerProcess({
        command: postgres,
        args: ['-D', data, ...postgresSettings({ durable }, sockets.path)],
        ...{ folder: cluster, logFile, user },
      });
      const look = async () => {
        if (await answers()) return 'ready' as const;
        return (await isAlive(started.pid)) ? undefined : ('ended' as const);
      };
      const outcome = await orEnd(started.pid, STOP_STEPS, () =>
        poll(deadline - performance.now(), look, { signal }),
      );
      if (outcome === 'ready') return started.pid;
      // A killed server's children still hold its shared memory for a moment: that passes.
      const said = await started.said();
      if (outcome === 'ended' && /in use|lock file/.test(said) && performance.now() < deadline) {
        continue;
      }
      if (outcome === undefined) {
        await endProcess(started.pid, [{ signal: 'SIGKILL', waitMs: 5000 }]);
      }
      throw new Error(`Postgres did not start on ${data}; it said:\n${said}`);
    }
  }

  const running = await adopt();
  let pid = running ?? (await launch());
  const database = options.database ?? POSTGRES_ROLE;
  await ensureDatabase(urlOf('postgres'), database);

  return {
    url: urlOf(database),
    socket,
    get pid() {
      return pid;
    },
    adopted: running !== undefined,
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
