import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import type { ServerUser } from './server-user.js';

/** How to start a server as a process that outlives this one. */
export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly logFile: string;
  readonly user: ServerUser | undefined;
  /** Written to its standard input, which is then closed. */
  readonly input?: string;
}

/** A server that was started; it may have died since. */
export interface StartedServer {
  readonly pid: number;
  /** The last lines it has written since its start, for an error message. */
  said(): Promise<string>;
}

const LOG_LIMIT_BYTES = 8 * 1024 * 1024;

/**
 * Starts a server in a session of its own, with its output in a file: Ctrl-C in the terminal does
 * not reach it and the death of this process does not end it, so that services stop before their
 * database does, and a crash leaves it there to be adopted.
 */
export async function startServerProcess(command: ServerCommand): Promise<StartedServer> {
  const log = await open(command.logFile, 'a', 0o600);
  try {
    let before = (await log.stat()).size;
    if (before > LOG_LIMIT_BYTES) {
      await log.truncate();
      before = 0;
    }
    const child = spawn(command.command, command.args, {
      cwd: command.folder,
      detached: true,
      // Nothing of Floy's own environment, which may hold secrets.
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C', LC_ALL: 'C', TZ: 'UTC' },
      stdio: [command.input === undefined ? 'ignore' : 'pipe', log.fd, log.fd],
      ...(command.user && { uid: command.user.uid, gid: command.user.gid }),
    });
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', resolve);
    });
    // A server that dies before it has read its settings is found out by whoever waits for it.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(command.input);
    child.unref();
    if (child.pid === undefined) throw new Error(`${command.command} has no process id`);
    return { pid: child.pid, said: () => tailOf(command.logFile, before) };
  } finally {
    await log.close();
  }
}

async function tailOf(logFile: string, from: number): Promise<string> {
  const text = (await readFile(logFile)).subarray(from).toString('utf8');
  return text.trimEnd().split('\n').slice(-8).join('\n');
}
