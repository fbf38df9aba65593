import { spawn } from 'node:child_process';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { poll } from '@floy/local-servers/poll';
import { endProcess } from '@floy/local-servers/process-table';
import { clone, type DemoFolder } from './demo-folder.js';
import { MARK } from './processes.js';

/** Floy on this machine, as `npm start` runs it, with a data folder of its own. */
export interface FloyProcess {
  /** The gateway's base URL. */
  readonly url: string;
  readonly token: string;
  readonly tokenFile: string;
  /** Aborts when Floy ends by itself. */
  readonly ended: AbortSignal;
  stop(): Promise<void>;
}

const READY_MS = 60_000;
const TROUBLES = 5;
const STOP_STEPS = [
  { signal: 'SIGTERM', waitMs: 30_000 },
  { signal: 'SIGKILL', waitMs: 5000 },
] as const;

/**
 * Starts Floy and waits until it is ready.
 *
 * @throws Error with the end of its log
 */
export async function startFloy(
  folder: DemoFolder,
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<FloyProcess> {
  await mkdir(folder.home, { recursive: true });
  const log = await open(folder.log, 'w', 0o600);
  const child = spawn(process.execPath, [join(clone, 'services/standalone/dist/main.js')], {
    cwd: folder.path,
    env: {
      ...environment,
      [MARK]: folder.path,
      FLOY_HOME: folder.home,
      FLOY_HOST: '127.0.0.1',
      FLOY_PORT: '0',
      // For machines that cannot keep builds apart; the log says so, and the demo's builds are its own.
      FLOY_BUILD_UNCONFINED: 'yes',
    },
    // Ctrl-C in the terminal is for the demo, which ends everything in order.
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  const ended = new AbortController();
  child.once('error', (error) => ended.abort(error));
  child.once('exit', (code, by) => {
    ended.abort(new Error(`Floy ended by itself (${by ?? `exit code ${code}`})`));
  });
  const stop = async (): Promise<void> => {
    if (child.pid !== undefined && !ended.signal.aborted) await endProcess(child.pid, STOP_STEPS);
  };
  const tokenFile = join(folder.home, 'admin-token');
  try {
    const url = await poll(READY_MS, async () => {
      signal.throwIfAborted();
      ended.signal.throwIfAborted();
      return (await textOf(join(folder.home, 'address'))).trim() || undefined;
    });
    if (url === undefined) throw new Error(`Floy was not ready within ${READY_MS / 1000} s`);
    const token = (await textOf(tokenFile)).trim();
    return { url, token, tokenFile, ended: ended.signal, stop };
  } catch (error) {
    await stop();
    if (signal.aborted) throw error;
    const end = (await textOf(folder.log)).trimEnd().split('\n').slice(-5).join('\n');
    throw new Error(`Floy could not be started. The end of ${folder.log}:\n${end}`, {
      cause: error,
    });
  }
}

/** The last warnings and errors that Floy logged: where to look when the story went wrong. */
export async function troublesIn(log: string): Promise<string[]> {
  const lines = (await textOf(log)).split('\n');
  return lines.filter((line) => /^\{"level":"(warn|error)"/.test(line)).slice(-TROUBLES);
}

/** What Floy logged about builds that this machine cannot keep apart, if it cannot. */
export async function unconfinedIn(log: string): Promise<string | undefined> {
  return /builds are not kept apart[^"]*/.exec(await textOf(log))?.[0];
}

function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
