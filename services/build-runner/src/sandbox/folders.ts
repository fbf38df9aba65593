import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { BuildUser } from './build-user.js';
import { DEFAULT_PATH } from './contained-process.js';

const execute = promisify(execFile);
/** What Floy itself is given, its key among it, is no business of other programs. */
const run = (program: string, words: string[]) =>
  execute(program, words, { env: { PATH: DEFAULT_PATH } });

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
