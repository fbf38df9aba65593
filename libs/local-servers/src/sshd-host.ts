import { readdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { poll } from './poll.js';
import { endProcess, isAlive, sendSignal, waitForExit } from './process-table.js';
import { startServerProcess } from './server-process.js';
import { sshdConfigText } from './sshd-config.js';

/** One machine of a fleet: an sshd of the current user with a port, keys and a folder of its own. */
export interface SshdHost {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly user: string;
  /** An empty folder that stands for the machine's disk: the place for deploy paths. */
  readonly folder: string;
  /** Of the host key, `SHA256:…`. */
  readonly hostKeyFingerprint: string;
  readonly logFile: string;
  /** The listening process; undefined while stopped. */
  readonly pid: number | undefined;
  /** Starts it again on the same port, by default with the same keys and configuration. */
  start(changes?: { config?: readonly string[]; hostKeyFile?: string }): Promise<void>;
  /** Ends the server, its connections and what they run in the foreground. */
  stop(): Promise<void>;
  /** As `stop`, by SIGKILL, as when a machine's network is gone. */
  kill(): Promise<void>;
  /** Kills the processes that serve the present connections; the commands they started live on. */
  cutConnections(): Promise<number>;
}

export interface SshdHostOptions {
  readonly sshd: string;
  readonly port: number;
  readonly user: string;
  readonly folder: string;
  readonly stateFolder: string;
  readonly hostKeyFile: string;
  readonly hostKeyFingerprint: string;
  readonly authorizedKeysFile: string;
  readonly home: string;
  readonly config: readonly string[];
}

const READY_MS = 10_000;

/** A host that is not started yet. */
export function createSshdHost(options: SshdHostOptions): SshdHost {
  const logFile = join(options.stateFolder, 'sshd.log');
  const configFile = join(options.stateFolder, 'sshd_config');
  let pid: number | undefined;
  let config = options.config;
  let hostKeyFile = options.hostKeyFile;

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const listener = pid;
    if (listener === undefined) return;
    pid = undefined;
    const below = await descendants(listener);
    // The listener first, so that nothing new arrives while its connections end.
    await endProcess(listener, [
      { signal, waitMs: 5000 },
      { signal: 'SIGKILL', waitMs: 5000 },
    ]);
    for (const child of below) sendSignal(child, 'SIGKILL');
    for (const child of below) await waitForExit(child, 5000);
  };

  return {
    host: '127.0.0.1',
    port: options.port,
    user: options.user,
    folder: options.folder,
    hostKeyFingerprint: options.hostKeyFingerprint,
    logFile,
    get pid() {
      return pid;
    },
    async start(changes = {}) {
      if (pid !== undefined) return;
      config = changes.config ?? config;
      hostKeyFile = changes.hostKeyFile ?? hostKeyFile;
      const text = sshdConfigText({ ...options, hostKeyFile, extra: config });
      await writeFile(configFile, text, { mode: 0o600 });
      const started = await startServerProcess({
        command: options.sshd,
        args: ['-D', '-e', '-f', configFile],
        folder: options.folder,
        logFile,
        user: undefined,
      });
      const ready = await poll(READY_MS, async () => {
        if (!(await isAlive(started.pid))) return 'dead';
        return (await listens(options.port)) ? 'ready' : undefined;
      });
      if (ready !== 'ready') {
        await endProcess(started.pid, [{ signal: 'SIGKILL', waitMs: 5000 }]);
        throw new Error(`sshd did not start on port ${options.port}:\n${await started.said()}`);
      }
      pid = started.pid;
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async cutConnections() {
      if (pid === undefined) return 0;
      const table = await processTable();
      const own = [...table].filter(([, entry]) => entry.name.startsWith('sshd'));
      // A connection is one sshd (since OpenSSH 9.8: sshd-session) below the listener, or two.
      const serving = new Set<number>([pid]);
      for (let size = 0; size !== serving.size;) {
        size = serving.size;
        for (const [child, { parent }] of own) if (serving.has(parent)) serving.add(child);
      }
      serving.delete(pid);
      for (const child of serving) sendSignal(child, 'SIGKILL');
      for (const child of serving) await waitForExit(child, 5000);
      return serving.size;
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const answer = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.setTimeout(1000, () => answer(false));
    socket.once('error', () => answer(false));
    socket.once('data', (data) => answer(data.toString('latin1').startsWith('SSH-')));
  });
}

async function descendants(pid: number): Promise<number[]> {
  const table = await processTable();
  const found = new Set<number>([pid]);
  for (let size = 0; size !== found.size;) {
    size = found.size;
    for (const [child, { parent }] of table) if (found.has(parent)) found.add(child);
  }
  found.delete(pid);
  return [...found];
}

/** Parent and name of every process, from /proc; empty where there is none. */
async function processTable(): Promise<Map<number, { parent: number; name: string }>> {
  const table = new Map<number, { parent: number; name: string }>();
  for (const entry of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => undefined);
    if (stat === undefined) continue;
    const close = stat.lastIndexOf(')');
    const parent = Number(stat.slice(close + 2).split(' ')[1]);
    table.set(Number(entry), { parent, name: stat.slice(stat.indexOf('(') + 1, close) });
  }
  return table;
}
