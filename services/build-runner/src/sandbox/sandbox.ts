import { CouldNotTellError, messageOf, VerdictError } from '@floy/domain';
import { narrowSignal } from '@floy/service-kit/narrowed-signal';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { shortcomingOfUser, type BuildUser } from './build-user.js';
import { startContained, type ContainedProcess } from './contained-process.js';
import {
  CONTAINMENTS,
  shortcomingOf,
  type Containment,
  type ContainmentKind,
} from './containment.js';
import { DEFAULT_PATH } from './default-path.js';
import { LimitPassedError, type CommandExit } from './exit-verdict.js';
import { removeAbandoned } from './process-folder.js';
import { makeScratch } from './scratch.js';

export interface RunOptions {
  /** How errors call it (`build_command`); "the command" by default. */
  name?: string;
  cwd: string;
  /** Added to `PATH`, `HOME`, `TMPDIR`, `LANG` and `CI`; `HOME` and `TMPDIR` cannot be replaced. */
  env?: Readonly<Record<string, string>>;
  timeoutSeconds: number;
  /** How long the command may print nothing; no limit when left out. */
  inactivitySeconds?: number;
  /** Cancels: everything is killed, and the call rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Gets the output as it comes, standard error included, NUL characters replaced. The command is
   * held up while a promise given back is open; a failure ends the command and is thrown.
   */
  onOutput?: (text: string) => void | Promise<void>;
}

/** Runs commands so that nothing of them outlives the call, nor the death of this process. */
export interface Sandbox {
  readonly containment: Containment;
  readonly user: BuildUser | undefined;
  /**
   * Runs a shell command (`sh -e`) as the build user. Answers however it exits; see `exitVerdict`.
   * Throws `LimitPassedError`, a verdict, when a limit is passed, `CouldNotTellError` when it cannot be started.
   */
  runCommand(options: RunOptions & { command: string; shell?: string }): Promise<CommandExit>;
  /**
   * Runs a program of Floy's own choice as Floy's user. `makesNamespaces` for one that makes user
   * namespaces itself, which does not work inside of another.
   */
  runProgram(
    options: RunOptions & { words: readonly string[]; makesNamespaces?: boolean },
  ): Promise<CommandExit>;
}

export interface SandboxOptions {
  /** See `findBuildUser`. */
  user: BuildUser | undefined;
  /** Told, once, each shortcoming of the user and the containment. */
  warn?: (message: string) => void;
  /** Use this kind or none, for tests. */
  only?: ContainmentKind;
}

/**
 * Finds out what this machine allows, best first, and removes the temporary folders of runners that
 * were killed. Throws `CouldNotTellError` if nothing works.
 */
export async function createSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { user } = options;
  await removeAbandoned();
  const containment = await findContainment(options);
  for (const shortcoming of [shortcomingOfUser(user), shortcomingOf(containment)]) {
    if (shortcoming) options.warn?.(shortcoming);
  }

  const run = async (
    how: { containment: Containment; user: BuildUser | undefined },
    words: readonly string[],
    runOptions: RunOptions,
  ): Promise<CommandExit> => {
    runOptions.signal?.throwIfAborted();
    const scratch = await makeScratch(how.user);
    try {
      const env = {
        PATH: DEFAULT_PATH,
        LANG: 'C.UTF-8',
        CI: 'true',
        ...runOptions.env,
        HOME: scratch.home,
        TMPDIR: scratch.temporary,
      };
      const marker = scratch.home;
      return await follow(
        startContained({ ...how, words, cwd: runOptions.cwd, env, marker }),
        runOptions,
      );
    } finally {
      await scratch.remove();
    }
  };

  return {
    containment,
    user,
    async runCommand({ command, shell = '/bin/sh', ...rest }) {
      await access(shell, constants.X_OK).catch(() => {
        throw new VerdictError(`the shell ${shell} is not installed where builds run`);
      });
      return run({ containment, user }, [...limitedWords(user), shell, '-e', '-c', command], rest);
    },
    async runProgram({ words, makesNamespaces = false, ...rest }) {
      const supervised: Containment = { kind: 'supervisor', ownProc: false };
      // Root in a user namespace of one user cannot reach what other users own.
      const avoid =
        containment.kind === 'user-namespace' && (makesNamespaces || process.getuid?.() === 0);
      const how = { containment: avoid ? supervised : containment, user: undefined };
      return run(how, words, rest);
    },
  };
}

/** The most processes that the build user may have, of all its commands together. */
const MOST_PROCESSES = 4096;
/** The largest file that a command may write, in blocks of 512 bytes: 16 GiB. */
const LARGEST_FILE = 32 * 1024 * 1024;

/**
 * The words before a command that bound what it may take of the machine. Processes are counted by
 * user: where that is Floy's own, Floy's would count too. Shells name that limit in two ways.
 */
function limitedWords(user: BuildUser | undefined): string[] {
  const processes = user ? `ulimit -u ${MOST_PROCESSES} || ulimit -p ${MOST_PROCESSES};` : '';
  const limits = `{ ${processes} ulimit -f ${LARGEST_FILE}; } 2>/dev/null; exec "$@"`;
  return ['/bin/sh', '-c', limits, 'floy-limits'];
}

async function findContainment({ user, only }: SandboxOptions): Promise<Containment> {
  const reasons: string[] = [];
  const root = process.getuid?.() === 0;
  for (const containment of CONTAINMENTS) {
    if (only !== undefined && containment.kind !== only) continue;
    if (containment.kind === 'pid-namespace' && !root) continue;
    const scratch = await makeScratch(user);
    try {
      const env = { PATH: DEFAULT_PATH, HOME: scratch.home };
      const trial = { containment, user, words: ['true'], cwd: '/', env, marker: scratch.home };
      const { exitCode } = await follow(startContained(trial), { cwd: '/', timeoutSeconds: 10 });
      if (exitCode === 0) return containment;
      reasons.push(`${containment.kind}: exit code ${exitCode}`);
    } catch (error) {
      reasons.push(`${containment.kind}: ${messageOf(error)}`);
    } finally {
      await scratch.remove();
    }
  }
  throw new CouldNotTellError(`this machine cannot run builds: ${reasons.join('; ')}`);
}

async function follow(running: ContainedProcess, options: RunOptions): Promise<CommandExit> {
  const { name = 'the command', timeoutSeconds, inactivitySeconds, signal, onOutput } = options;
  const within = narrowSignal(signal);
  within.signal.addEventListener('abort', () => running.kill(), { once: true });
  within.abortAfter(
    timeoutSeconds * 1000,
    new LimitPassedError(`${name} ran longer than ${timeoutSeconds} s and was ended`),
  );
  let delivering = false;
  const idle =
    inactivitySeconds === undefined
      ? undefined
      : setTimeout(() => {
          // Held up by whoever takes the output: that is not the command's silence.
          if (delivering) idle?.refresh();
          else
            within.abort(
              new VerdictError(`${name} printed nothing for ${inactivitySeconds} s and was ended`),
            );
        }, inactivitySeconds * 1000);

  const decoder = new StringDecoder('utf8');
  const deliver = async (text: string): Promise<void> => {
    if (text === '' || !onOutput) return;
    delivering = true;
    await onOutput(text.replaceAll('\0', '\ufffd'));
    delivering = false;
  };
  if (within.signal.aborted) running.kill();
  try {
    for await (const chunk of running.output as AsyncIterable<Buffer>) {
      idle?.refresh();
      await deliver(decoder.write(chunk));
      idle?.refresh();
    }
    await deliver(decoder.end());
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') {
      within.abort(error);
    }
  }
  try {
    const exit = await running.ended;
    within.signal.throwIfAborted();
    return exit;
  } catch (error) {
    within.signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(idle);
    within.release();
  }
}
