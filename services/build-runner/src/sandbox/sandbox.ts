import { VerdictError } from '@floy/domain';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { BuildUser, UserRange } from './build-user.js';
import { innerWords, outerWords, ownProgramWords, type Confinement } from './confinement.js';
import { startContained } from './contained-process.js';
import { DEFAULT_PATH } from './default-path.js';
import type { CommandExit } from './exit-verdict.js';
import { findConfinement } from './find-confinement.js';
import { follow, type FollowOptions } from './follow.js';
import { shownOf } from './hidden-paths.js';
import { closeInherited } from './inherited-descriptors.js';
import { PLACES } from './places.js';
import { removeAbandoned } from './process-folder.js';
import { makeScratch, type Scratch } from './scratch.js';
import { claimUser, endStrays, lockUser } from './user-claims.js';
import { viewScript, type BuildFolders } from './view.js';

/** How a command is run. */
export interface RunOptions extends FollowOptions {
  /** Added to `PATH`, `HOME`, `TMPDIR`, `LANG` and `CI`; `HOME` and `TMPDIR` cannot be replaced. */
  env?: Readonly<Record<string, string>>;
}

/** Who runs other people's commands of one task, and on which folders. */
export interface BuildSlot {
  /** Nobody else's while the slot is open; undefined where builds run as Floy's own user. */
  readonly user: BuildUser | undefined;
  close(): Promise<void>;
}

/** How other people's commands are run. */
export interface BuildRunOptions extends RunOptions {
  user: BuildUser | undefined;
  /** Real paths; the command runs in `build`. */
  folders: BuildFolders;
}

/** Runs commands so that nothing of them outlives the call, nor the death of this process. */
export interface Sandbox {
  readonly confinement: Confinement;
  /** Takes a user for the builds of one task. Throws `CouldNotTellError` when none is free. */
  openSlot(): Promise<BuildSlot>;
  /** The folders as commands see them. */
  seen(folders: BuildFolders): BuildFolders;
  /**
   * Runs a shell command (`sh -e`) as the build user. Answers however it exits; see `exitVerdict`.
   * Throws `LimitPassedError`, a verdict, when a limit is passed, `VerdictError` where this machine
   * cannot confine it, `CouldNotTellError` when it cannot be started.
   */
  runCommand(options: BuildRunOptions & { command: string; shell?: string }): Promise<CommandExit>;
  /** The same for a program, which sees of the machine its folders and where programs are. */
  runAlone(options: BuildRunOptions & { words: readonly string[] }): Promise<CommandExit>;
  /**
   * Runs a program of Floy's own choice as Floy's user. `makesNamespaces` for one that makes user
   * namespaces itself, which does not work inside of another.
   */
  runProgram(
    options: RunOptions & { cwd: string; words: readonly string[]; makesNamespaces?: boolean },
  ): Promise<CommandExit>;
}

/** What a sandbox is told. */
export interface SandboxOptions {
  /** `FLOY_BUILD_USERS`; used where Floy is root. */
  users: UserRange;
  /** `FLOY_BUILD_UNCONFINED`: run commands also where this machine cannot keep them apart. */
  unconfined: boolean;
  /** What commands must not see besides homes and sockets: Floy's data. */
  hidden?: readonly string[];
  /** Told, once, where commands are not kept apart. */
  warn?: (message: string) => void;
  /** Confine nothing, for tests. */
  only?: 'supervisor';
}

/**
 * Finds out what this machine allows, removes the temporary folders of runners that were killed, ends
 * what is left of their builds, and closes what this process was started with and commands must not get.
 * Where it cannot keep commands apart and `unconfined` is not set, it says so by each command.
 */
export async function createSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { users, unconfined, warn } = options;
  closeInherited();
  await removeAbandoned();
  const shown = await shownOf(options.hidden ?? []);
  const root = process.getuid?.() === 0;

  const confined = async (
    confinement: 'root' | 'user-namespace',
    { user, folders }: Pick<BuildRunOptions, 'user' | 'folders'>,
    scratch: Scratch,
    onlyPrograms: boolean,
  ): Promise<string[]> => {
    const view = { folders, scratch, onlyPrograms, ...shown };
    const script = viewScript(view, innerWords(confinement, user));
    return [...outerWords(confinement), script, 'floy-view'];
  };
  const { confinement, missing } = await findConfinement({
    users,
    only: options.only,
    root,
    async attempt(way) {
      const scratch = await makeScratch(undefined);
      // Another runner that starts at this moment must not take it for a stray.
      const release = root ? await lockUser(users.first) : undefined;
      try {
        const user = root ? { uid: users.first, gid: users.first } : undefined;
        const before = await confined(
          way,
          { user, folders: { build: scratch.home } },
          scratch,
          false,
        );
        const env = { PATH: DEFAULT_PATH };
        const trial = { before, user, words: ['true'], cwd: '/', env, marker: scratch.home };
        return await follow(startContained(trial), { timeoutSeconds: 20 });
      } finally {
        await release?.();
        await scratch.remove();
      }
    },
  });
  if (root) await endStrays(users);
  if (missing !== undefined) {
    warn?.(
      unconfined
        ? `builds are not kept apart from each other nor from the machine: ${missing}`
        : `this runner takes no builds: ${missing}`,
    );
  }
  const seen = (folders: BuildFolders): BuildFolders =>
    confinement === 'supervisor'
      ? folders
      : (Object.fromEntries(
          Object.keys(folders).map((name) => [name, PLACES[name as keyof BuildFolders]]),
        ) as unknown as BuildFolders);

  const run = async (
    options: BuildRunOptions,
    words: readonly string[],
    onlyPrograms: boolean,
  ): Promise<CommandExit> => {
    const { user, folders, signal } = options;
    if (missing !== undefined && !unconfined) {
      throw new VerdictError(`this runner takes no builds: ${missing}`);
    }
    signal?.throwIfAborted();
    const scratch = await makeScratch(user);
    try {
      const apart = confinement !== 'supervisor';
      const before = apart
        ? await confined(confinement, options, scratch, onlyPrograms)
        : undefined;
      const env = {
        PATH: DEFAULT_PATH,
        LANG: 'C.UTF-8',
        CI: 'true',
        ...options.env,
        HOME: apart ? PLACES.home : scratch.home,
        TMPDIR: apart ? '/tmp' : scratch.temporary,
      };
      const cwd = seen(folders).build;
      const started = startContained({ before, user, words, cwd, env, marker: scratch.home });
      return await follow(started, options);
    } finally {
      await scratch.remove();
    }
  };

  return {
    confinement,
    seen,
    async openSlot() {
      if (!root) return { user: undefined, close: async () => undefined };
      const user = await claimUser(users);
      return { user, close: user.release };
    },
    async runCommand({ command, shell = '/bin/sh', ...rest }) {
      await access(shell, constants.X_OK).catch(() => {
        throw new VerdictError(`the shell ${shell} is not installed where builds run`);
      });
      return run(rest, [...limitedWords(rest.user), shell, '-e', '-c', command], false);
    },
    runAlone: ({ words, ...rest }) => run(rest, words, true),
    async runProgram({ words, cwd, makesNamespaces = false, ...rest }) {
      rest.signal?.throwIfAborted();
      const scratch = await makeScratch(undefined);
      try {
        const env = {
          ...{ PATH: DEFAULT_PATH, LANG: 'C.UTF-8', CI: 'true', ...rest.env },
          ...{ HOME: scratch.home, TMPDIR: scratch.temporary },
        };
        const avoid = confinement === 'user-namespace' && makesNamespaces;
        const before =
          confinement === 'supervisor' || avoid ? undefined : ownProgramWords(confinement);
        const marker = scratch.home;
        const started = startContained({ before, user: undefined, words, cwd, env, marker });
        return await follow(started, rest);
      } finally {
        await scratch.remove();
      }
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
