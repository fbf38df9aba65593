import { CouldNotTellError } from '@floy/domain';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Socket } from 'node:net';
import { PassThrough, type Duplex, type Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { BuildUser } from './build-user.js';
import { DEFAULT_PATH } from './default-path.js';
import { exitOf, type CommandExit } from './exit-verdict.js';
import { environmentScript, INIT_SCRIPT } from './init-script.js';

const SUPERVISOR = fileURLToPath(new URL('./supervisor.mjs', import.meta.url));
const START_ERROR_BYTES = 4096;

export interface ContainedOptions {
  /** The words before the command's that contain it; undefined for a supervisor. */
  before: readonly string[] | undefined;
  /** Whom a supervisor runs it as; Floy's own user when undefined. */
  user: BuildUser | undefined;
  words: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** A value that stands in `env` and nowhere else; the supervisor finds processes by it. */
  marker: string;
}

export interface ContainedProcess {
  /** Standard output and standard error as one. */
  output: Readable;
  /** Settles when the command itself begins, and never where it could not. */
  begun: Promise<void>;
  /**
   * Settles when all processes of the command are gone (with a supervisor: all it could find).
   * Rejects with `CouldNotTellError` when the command was never started.
   */
  ended: Promise<CommandExit>;
  /** Ends everything, at once. */
  kill(): void;
}

/** Starts a program contained. Throws `VerdictError` when the environment cannot be given to it. */
export function startContained(options: ContainedOptions): ContainedProcess {
  const { before, user, words, cwd, marker } = options;
  const environment = environmentScript(options.env);
  const supervised = before === undefined;
  const outer = before ?? [
    ...[process.execPath, SUPERVISOR, String(user?.uid ?? '-'), String(user?.gid ?? '-'), marker],
  ];
  const inner = ['/bin/sh', '-c', INIT_SCRIPT, 'floy-init', cwd, ...words];
  const [program = '', ...rest] = outer.concat(inner);
  const child = spawn(program, rest, {
    cwd: '/',
    env: { PATH: DEFAULT_PATH },
    // A session of its own: a Ctrl-C meant for the runner does not reach the command.
    detached: true,
    stdio: [supervised ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe'],
  });
  const written = child.stdout as Socket;
  const output = new PassThrough();
  written.on('error', () => output.end()).pipe(output);
  const control = child.stdio[3] as Duplex;
  const begun = once(control, 'data').then(() => undefined);
  begun.catch(() => undefined);
  const ended = new Promise<CommandExit>((resolve, reject) => {
    let startErrors = '';
    let up = false;
    const notStarted = (why: string) =>
      reject(new CouldNotTellError(`the command could not be started: ${why.trim()}`));
    child.stderr?.on('data', (chunk: Buffer) => {
      if (startErrors.length < START_ERROR_BYTES) startErrors += chunk.toString('utf8');
    });
    control.on('error', () => undefined);
    control.once('data', () => {
      up = true;
      control.end(environment);
    });
    child.stdin?.on('error', () => undefined);
    child.once('error', (error) => notStarted(error.message));
    child.once('exit', (code, signal) => {
      closeWhenRead(written, output);
      if (!up && code !== null) {
        if (child.stderr?.closed) notStarted(startErrors);
        else child.stderr?.once('close', () => notStarted(startErrors));
      } else resolve(exitOf(code ?? 128 + (signal ? constants.signals[signal] : 0)));
    });
  });
  // The output is read first; a failure in the meantime is not an unhandled one.
  ended.catch(() => undefined);
  return {
    output,
    begun,
    ended,
    kill: () => (supervised ? endSupervisor(child) : endNamespace(child)),
  };
}

/**
 * Kills the first process of the namespace rather than `unshare`, its parent: the first one is
 * gone only after all others are, and `unshare` ends after it. So its exit tells that all is over.
 */
function endNamespace(child: ChildProcess): void {
  if (child.pid === undefined || hasEnded(child)) return;
  const first = childrenOf(child.pid);
  for (const pid of first) killIfThere(pid);
  if (first.length === 0) child.kill('SIGKILL');
  setTimeout(() => child.kill('SIGKILL'), 500).unref();
}

function endSupervisor(child: ChildProcess): void {
  if (child.pid === undefined || hasEnded(child)) return;
  child.stdin?.end();
  setTimeout(() => child.kill('SIGKILL'), 900).unref();
}

const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null;

function childrenOf(pid: number): number[] {
  try {
    const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return list === '' ? [] : list.split(' ').map(Number);
  } catch {
    return [];
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** What a socket holds at the most that nobody made larger. Bytes. */
const LEFT_AT_THE_END = 512 * 1024;
const ROUND_MS = 50;
const MOST_ROUNDS = 20;

/**
 * Reads what lies in the pipe when all processes are gone, and ends the output. Its end would not
 * come by itself where a command has handed its standard output on to somebody who holds it
 * (SCM_RIGHTS), and who may write for ever too: so there is a bound of bytes and one of time.
 */
function closeWhenRead(written: Socket, output: PassThrough): void {
  const atExit = written.bytesRead;
  let seen = -1;
  let rounds = 0;
  const timer = setInterval(() => {
    const ended = written.closed || output.writableEnded;
    // Held up by whoever takes the output: nothing is read, and no time counted.
    if (!ended && output.writableNeedDrain) return;
    rounds += 1;
    const more = written.bytesRead !== seen && written.bytesRead - atExit < LEFT_AT_THE_END;
    seen = written.bytesRead;
    if (!ended && more && rounds < MOST_ROUNDS) return;
    clearInterval(timer);
    written.unpipe(output);
    written.destroy();
    output.end();
  }, ROUND_MS);
}
