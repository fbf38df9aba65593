import { execFile } from 'node:child_process';
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BuildUser } from './build-user.js';

const run = promisify(execFile);

/** Gives a folder and all below it to the build user; symbolic links are changed, not followed. */
export async function handOver(folder: string, user: BuildUser | undefined): Promise<void> {
  if (user) await run('chown', ['-R', '-h', `${user.uid}:${user.gid}`, '--', folder]);
}

/** Removes a folder whatever a command left there, folders without write permission included. */
export async function removeTree(folder: string): Promise<void> {
  const options = { recursive: true, force: true, maxRetries: 2 };
  await rm(folder, options).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EACCES' && error.code !== 'EPERM') throw error;
    await run('chmod', ['-R', 'u+rwX', '--', folder]);
    await rm(folder, options);
  });
}

/** Empty folders for one command, gone after it. */
export interface Scratch {
  folder: string;
  home: string;
  temporary: string;
  remove(): Promise<void>;
}

/** Below `parent`, which the build user has to be able to enter; by default the system's folder. */
export async function makeScratch(
  user: BuildUser | undefined,
  parent: string = tmpdir(),
): Promise<Scratch> {
  const folder = await mkdtemp(join(parent, 'floy-run-'));
  const [home, temporary] = [join(folder, 'home'), join(folder, 'tmp')];
  for (const each of [home, temporary]) await mkdir(each, { mode: 0o700 });
  if (user) {
    for (const each of [home, temporary, folder]) await chown(each, user.uid, user.gid);
  }
  return { folder, home, temporary, remove: () => removeTree(folder) };
}
