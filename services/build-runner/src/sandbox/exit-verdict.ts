import { VerdictError } from '@floy/domain';
import { constants } from 'node:os';

/** A command was ended because it ran, or was silent, for longer than it may. */
export class LimitPassedError extends VerdictError {}

/** How a command ended by itself. */
export interface CommandExit {
  /** As a shell tells it: 128 + number for a process that a signal ended. */
  exitCode: number;
  /** The signal that the exit code stands for, `SIGKILL` for 137. */
  signal: NodeJS.Signals | null;
}

/** The exit for a code as a shell tells it. */
export function exitOf(exitCode: number): CommandExit {
  const found = Object.entries(constants.signals).find(([, number]) => number === exitCode - 128);
  return { exitCode, signal: (found?.[0] as NodeJS.Signals | undefined) ?? null };
}

/**
 * The verdict on a command, undefined if it succeeded. `what` is how its owner knows it
 * (`build_command`).
 */
export function exitVerdict(what: string, exit: CommandExit): VerdictError | undefined {
  if (exit.exitCode === 0) return undefined;
  const hint = exit.exitCode === 127 ? (NOT_FOUND[what] ?? '') : '';
  return new VerdictError(`${what} ${describe(exit)}${hint}`, { exit_code: exit.exitCode });
}

/** What is forgotten most often where a program is not found. */
const NOT_FOUND: Readonly<Partial<Record<string, string>>> = {
  build_command: '; tools in home folders are not seen by builds',
  test_command:
    '; tests run in a checkout of their own, without what the build made or installed in its, and ' +
    'tools in home folders are not seen',
};

function describe({ exitCode, signal }: CommandExit): string {
  if (signal === 'SIGKILL') {
    return 'was killed (SIGKILL, exit code 137): most likely the machine ran out of memory';
  }
  if (signal) return `was ended by ${signal} (exit code ${exitCode})`;
  if (exitCode === 127) {
    return 'ended with exit code 127: a program it calls is not installed where builds run';
  }
  if (exitCode === 126) {
    return 'ended with exit code 126: a program it calls is not executable for the build user';
  }
  return `ended with exit code ${exitCode}`;
}
