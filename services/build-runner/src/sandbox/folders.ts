import { execFile } from 'node:child_process';
import type { Dirent } from 'node:fs';
import { chmod, lchown, lstat, opendir } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { BuildUser } from './build-user.js';
import { DEFAULT_PATH } from './default-path.js';

const execute = promisify(execFile);
/** What Floy itself is given, its key among it, is no business of other programs. */
const run = (program: string, words: string[]) =>
  execute(program, words, { env: { PATH: DEFAULT_PATH } });

/** Gives a folder and all below it to the build user; symbolic links are changed, not followed. */
export async function handOver(folder: string, user: BuildUser | undefined): Promise<void> {
  if (user) await run('chown', ['-R', '-h', `${user.uid}:${user.gid}`, '--', folder]);
}

/**
 * Takes back what was handed over, before Floy reads it: all folders are Floy's own afterwards, so
 * that no process of the build user can put something else, a symbolic link, in the place of what
 * Floy is looking at. Files keep their owner. `folder` has to lie in a folder of Floy's own.
 */
export async function takeBack(folder: string, user: BuildUser | undefined): Promise<void> {
  if (user) await makeOwn(Buffer.from(folder));
}

/**
 * Removes a folder whatever a command left there, folders without write permission included. It has
 * to lie in a folder of Floy's own, or in one with the sticky bit.
 */
export async function removeTree(folder: string): Promise<void> {
  await makeOwn(Buffer.from(folder)).catch((error: NodeJS.ErrnoException) => {
    // Without root there are files that cannot become Floy's own; `rm` names what it has to leave.
    if (error.code !== 'ENOENT' && process.getuid?.() === 0) throw error;
  });
  // The program goes deeper than the longest path that Node can name.
  await run('rm', ['-rf', '--', folder]);
}

/**
 * From the top down: the entries of a folder that is Floy's own and that nobody else may write to
 * stay what they are, so each next path still names the folder it was read as. Names are bytes.
 */
async function makeOwn(folder: Buffer): Promise<void> {
  const root = process.getuid?.() === 0;
  if (root) await lchown(folder, 0, 0);
  const { mode } = await lstat(folder);
  await chmod(folder, (mode & 0o755) | 0o700);
  for await (const entry of await openFolder(folder)) {
    if (!entry.isDirectory()) continue;
    await makeOwn(Buffer.concat([folder, Buffer.from('/'), entry.name])).catch(
      (error: NodeJS.ErrnoException) => {
        // Beyond the longest path nothing is read either: packing ends with this error too.
        if (error.code !== 'ENAMETOOLONG') throw error;
      },
    );
  }
}

/** What is in a folder, some of it at a time, however much it is. Names are bytes. */
export async function openFolder(folder: Buffer): Promise<AsyncIterable<Dirent<Buffer>>> {
  // The types know nothing of names that are bytes.
  const encoding = 'buffer' as BufferEncoding;
  const opened: unknown = await opendir(folder, { encoding, bufferSize: 1024 });
  return opened as AsyncIterable<Dirent<Buffer>>;
}
