import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { waitFor } from './wait-for.js';

/** One line of a process' log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** A service running as a process of its own. */
export interface ServiceProcess {
  readonly name: string;
  readonly pid: number;
  /** Everything it has logged so far; a line that is not JSON has its text as `msg`. */
  readonly log: readonly LogLine[];
  /** Where its health and metrics are served, once it says so. */
  opsUrl(): Promise<string>;
  /** Waits until it says that it is ready. */
  waitReady(timeoutMs?: number): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Waits for its end: the exit code, or the signal that ended it. */
  exited(): Promise<number | NodeJS.Signals>;
  /** Asks it to stop and waits; kills it after ten seconds. */
  stop(): Promise<number | NodeJS.Signals>;
}

/** What to start. */
export interface StartService {
  /** A folder of `services/`, started from its build. */
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  /** Another program than `services/<name>/dist/main.js`. */
  readonly main?: string;
  /** Words for the program. */
  readonly words?: readonly string[];
  /** Words for Node itself, such as `--cpu-prof`. */
  readonly nodeOptions?: readonly string[];
}

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Starts one service with exactly this environment (and PATH), ops port chosen by itself. */
export function startServiceProcess(start: StartService): ServiceProcess {
  const { name, env, words = [], nodeOptions = [] } = start;
  const main = start.main ?? `${root}services/${name}/dist/main.js`;
  const child = spawn(process.execPath, [...nodeOptions, main, ...words], {
    cwd: root,
    env: { PATH: process.env['PATH'], FLOY_OPS_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: LogLine[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => log.push(parse(line)));
  }
  const ended = once(child, 'close').then(
    ([code, signal]: (number | NodeJS.Signals | null)[]) => code ?? signal ?? 'SIGKILL',
  ) as Promise<number | NodeJS.Signals>;
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;

  const opsPort = (): unknown => log.find((line) => line['ops_port'] !== undefined)?.['ops_port'];
  async function until<T>(what: string, probe: () => Promise<T>, timeoutMs = 15_000) {
    const found = await waitFor(
      `${name} ${what}`,
      async () => (isOver() ? 'over' : await probe()),
      { timeoutMs },
    ).catch((cause: unknown) => {
      throw new Error(`${String(cause)}; its last lines: ${lastLines(log)}`, { cause });
    });
    if (found === 'over') throw new Error(`${name} ended; its last lines: ${lastLines(log)}`);
    return found;
  }
  const opsUrl = async (): Promise<string> =>
    `http://127.0.0.1:${String(await until('to serve its health', async () => opsPort()))}`;

  return {
    name,
    pid: child.pid ?? 0,
    log,
    opsUrl,
    async waitReady(timeoutMs) {
      const url = await opsUrl();
      await until('to be ready', async () => (await fetch(`${url}/readyz`)).ok, timeoutMs);
    },
    kill: (signal) => void child.kill(signal),
    exited: () => ended,
    async stop() {
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      return ended.finally(() => clearTimeout(timer));
    },
  };
}

function parse(line: string): LogLine {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as LogLine;
  } catch {
    // Not JSON: a crash of Node itself, or a warning.
  }
  return { msg: line };
}

function lastLines(log: readonly LogLine[]): string {
  return log
    .slice(-8)
    .map((line) => JSON.stringify(line))
    .join('\n');
}
