import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeTree } from './folders.js';

/** What a temporary folder is for: a command's `HOME`, git's settings and key, a registry's, a task's checkout. */
export type FolderUse = 'run' | 'git' | 'image' | 'task';

/** A temporary folder of this process. */
export interface ProcessFolder {
  /** For Floy's user alone until its mode is changed. */
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Makes a temporary folder. Builds share a user, so modes cannot keep them out of each other's
 * folders: they cannot find them. Each has a name that nobody guesses, in a folder that may be
 * entered and not listed. That one names this process, so that after its death, which removes
 * nothing, the next one can tell that the folder, and a key in it, is nobody's any more.
 */
export async function makeProcessFolder(use: FolderUse): Promise<ProcessFolder> {
  const began = beganAt('self') ?? 0;
  const outer = await mkdtemp(join(tmpdir(), `floy-${use}-${process.pid}.${began}-`));
  const path = join(outer, randomBytes(16).toString('base64url'));
  await mkdir(path, { mode: 0o700 });
  await chmod(outer, 0o711);
  return { path, remove: () => removeTree(outer) };
}

/** Removes the temporary folders of processes of this machine that are gone. */
export async function removeAbandoned(): Promise<void> {
  const parent = tmpdir();
  for (const name of await readdir(parent)) {
    const [, pid, began] = /^floy-(?:run|git|image|task)-(\d+)\.(\d+)-\w{6}$/.exec(name) ?? [];
    if (pid === undefined || isRunning(Number(pid), Number(began))) continue;
    const folder = join(parent, name);
    // A build can make one of such a name too, or a link: what is not ours stays.
    const found = await lstat(folder).catch(() => undefined);
    if (!found?.isDirectory() || found.uid !== process.getuid?.()) continue;
    // Another runner that starts at this moment may have removed it.
    await removeTree(folder).catch(() => undefined);
  }
}

/** A process id may be another's by now; together with its start it is not. */
function isRunning(pid: number, began: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return (beganAt(String(pid)) ?? began) === began;
}

/** When a process began, in clock ticks since the boot; undefined where the system does not tell. */
function beganAt(pid: string): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return Number(fields[19]);
  } catch {
    return undefined;
  }
}
