import { realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { adoptServer, orEnd, type ServerAt } from './adopt-server.js';
import { keptSecret } from './kept-file.js';
import { keptPort, samePort } from './kept-port.js';
import { poll } from './poll.js';
import { ensureCluster, POSTGRES_ROLE } from './postgres-cluster.js';
import { postgresBinaries } from './postgres-binaries.js';
import { answersQueries, ensureDatabase, findPostmaster } from './postgres-probe.js';
import { postgresSettings, type PostgresOptions } from './postgres-settings.js';
import { endProcess, isAlive, sendSignal } from './process-table.js';
import { startServerProcess } from './server-process.js';
import { openFolder, serverUser } from './server-user.js';

/** Where and how to run an embedded Postgres. */
export interface StartPostgres extends Partial<PostgresOptions> {
  /** Holds all of it: data, password, port, log. One server at a time. */
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
  readonly port: number;
  /** The server's process; another one after a restart. */
  readonly pid: number;
  /** Whether it was running before and was taken over. */
  readonly adopted: boolean;
  /** Ends every connection, writes everything down and ends. */
  stop(): Promise<void>;
  /** Sends a signal to the server's process, as a crash would. */
  kill(signal: NodeJS.Signals): void;
  /** Stops (or after a kill: starts again), on the same port. */
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
  const durable = options.durable ?? true;
  const logFile = join(folder, 'postgres.log');
  const password = await keptSecret(join(folder, 'password'));
  const { initdb, postgres } = await postgresBinaries(folder, user);
  const cluster = join(folder, 'cluster');
  const data = await realpath(
    await ensureCluster({ initdb, folder: cluster, user, password, durable }),
  );
  const urlOf = (port: number, database: string): string =>
    `postgres://${POSTGRES_ROLE}:${password}@127.0.0.1:${port}/${database}`;

  const answers = (port: number) => answersQueries(urlOf(port, 'postgres'));

  async function adopt(): Promise<ServerAt | undefined> {
    const found = await findPostmaster(data);
    const how = { name: 'Postgres', data, answers, timeoutMs: START_MS, signal };
    return found && adoptServer({ ...found, ...how, stopSteps: STOP_STEPS });
  }

  async function launch(choosePort: () => Promise<number>): Promise<ServerAt> {
    const deadline = performance.now() + START_MS;
    for (;;) {
      // Whoever has the number in a stale pid file would make Postgres refuse to start.
      if ((await findPostmaster(data)) === undefined) {
        await rm(join(data, 'postmaster.pid'), { force: true });
      }
      const port = await choosePort();
      const started = await startServerProcess({
        command: postgres,
        args: ['-D', data, ...postgresSettings({ durable }, port)],
        ...{ folder: cluster, logFile, user },
      });
      const look = async () => {
        if (await answers(port)) return 'ready' as const;
        return (await isAlive(started.pid)) ? undefined : ('ended' as const);
      };
      const outcome = await orEnd(started.pid, STOP_STEPS, () =>
        poll(deadline - performance.now(), look, { signal }),
      );
      if (outcome === 'ready') return { pid: started.pid, port };
      // The port may have been taken in between, or a killed server's children still hold its
      // shared memory for a moment: both pass.
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
  let server = running ?? (await launch(() => keptPort(join(folder, 'port'))));
  const database = options.database ?? POSTGRES_ROLE;
  await ensureDatabase(urlOf(server.port, 'postgres'), database);

  const stop = (): Promise<void> => endProcess(server.pid, STOP_STEPS);
  return {
    get url() {
      return urlOf(server.port, database);
    },
    get port() {
      return server.port;
    },
    get pid() {
      return server.pid;
    },
    adopted: running !== undefined,
    stop,
    kill: (signal) => void sendSignal(server.pid, signal),
    restart: async () => {
      await stop();
      const { port } = server;
      server = await launch(() => samePort(port));
    },
  };
}
