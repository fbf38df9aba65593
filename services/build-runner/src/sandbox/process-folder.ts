import { readFileSync } from 'node:fs';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeTree } from './folders.js';

/** What a temporary folder is for: a command's `HOME`, git's settings and key, a registry's, a task's checkout. */
export type FolderUse = 'run' | 'git' | 'image' | 'task';

/**
 * Makes a temporary folder that names this process, so that after its death, which removes
 * nothing, the next one can tell that the folder, and a key in it, is nobody's any more.
 */
export function makeProcessFolder(use: FolderUse, parent: string = tmpdir()): Promise<string> {
  return mkdtemp(join(parent, `floy-${use}-${process.pid}.${beganAt('self') ?? 0}-`));
}

/** Removes the temporary folders of processes of this machine that are gone. */
export async function removeAbandoned(parent: string = tmpdir()): Promise<void> {
  for (const name of await readdir(parent)) {
    const [, pid, began] = /^floy-(?:run|git|image|task)-(\d+)\.(\d+)-\w{6}$/.exec(name) ?? [];
    if (pid === undefined || isRunning(Number(pid), Number(began))) continue;
    // Somebody else's, or removed by another runner that starts at this moment.
    await removeTree(join(parent, name)).catch(() => undefined);
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
