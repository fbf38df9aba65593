import { execFile } from 'node:child_process';
import { readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { poll } from './poll.js';

const execute = promisify(execFile);
/** Nothing of Floy's own environment, which may hold secrets. */
const run = (program: string, words: string[]) =>
  execute(program, words, { env: { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } });

/** Whether this process exists and has not ended (a zombie has). */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  if (process.platform !== 'linux') return true;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name, in parentheses, may hold anything; the state is the letter behind the last one.
  return stat !== undefined && stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z';
}

/** Waits until the process has ended; false when it still lives after `timeoutMs`. */
export async function waitForExit(pid: number, timeoutMs: number): Promise<boolean> {
  return (
    (await poll(timeoutMs, async () => ((await isAlive(pid)) ? undefined : true), {
      everyMs: 10,
    })) === true
  );
}

/** The folder a process works in; undefined where that cannot be told. */
export async function workingFolder(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') return readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  const found = await run('lsof', ['-a', '-p', String(pid), '-d', 'cwd', '-Fn']).catch(
    () => undefined,
  );
  return found?.stdout
    .split('\n')
    .find((line) => line.startsWith('n'))
    ?.slice(1);
}

/** Sends a signal; false when there is no such process any more. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** A signal, and how long to wait for the process to end of it. */
export interface EndStep {
  readonly signal: NodeJS.Signals;
  readonly waitMs: number;
}

/** Ends a process: each signal in turn, waiting its time for the process to end. */
export async function endProcess(pid: number, steps: readonly EndStep[]): Promise<void> {
  for (const { signal, waitMs } of steps) {
    if (!sendSignal(pid, signal)) return;
    // A stopped process acts on nothing but SIGKILL until it is continued.
    if (signal !== 'SIGKILL') sendSignal(pid, 'SIGCONT');
    if (await waitForExit(pid, waitMs)) return;
  }
  throw new Error(`Process ${pid} did not end`);
}
