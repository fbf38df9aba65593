import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { firstClosedFolder } from '@floy/local-servers/server-user';

const run = promisify(execFile);

/**
 * A Node that builds can run. As root Floy builds as `nobody`, who cannot reach a Node below `/root`
 * (of a version manager, say): that one is copied to where everybody may.
 */
export async function nodeForBuilds(folder: string): Promise<string> {
  const own = process.execPath;
  if (process.getuid?.() !== 0) return own;
  const id = (flag: string): Promise<number> =>
    run('id', [flag, 'nobody']).then(({ stdout }) => Number(stdout));
  const user = { uid: await id('-u'), gid: await id('-g') };
  if ((await firstClosedFolder(user, own)) === undefined) return own;
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o755);
  const copy = join(folder, 'node');
  await copyFile(own, copy, constants.COPYFILE_FICLONE);
  await chmod(copy, 0o755);
  return copy;
}
