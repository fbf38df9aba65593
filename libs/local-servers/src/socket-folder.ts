import { chmod, lstat, mkdir, mkdtemp, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { exchangeable, ownUid } from './exchangeable.js';
import { readIfThere, writePrivately } from './kept-file.js';
import { giveTo, type ServerUser } from './server-user.js';

/** A folder that only its server and we can enter, for the server's socket. */
export interface SocketFolder {
  readonly path: string;
  /**
   * Makes the folder again where somebody who tidies up has removed it.
   *
   * @throws Error where another has put something in its place
   */
  ensure(): Promise<void>;
  /** Removes one that lies outside of the server's own folder and is empty. */
  leave(): Promise<void>;
}

/** The kernel takes 103 bytes on macOS and 107 on Linux; the end of a longer path is cut off. */
const LONGEST_PATH_BYTES = 99;

/**
 * The folder for a server's socket: `socket` in the server's own folder, or, where that path would
 * be too long for a socket, a new one in `/run` or `/tmp`, which the file `socket-folder` names.
 *
 * @param folder the real path of the server's own folder
 * @param name that the socket will have
 * @throws Error where another user has made it, or could exchange it
 */
export async function openSocketFolder(
  folder: string,
  name: string,
  user: ServerUser | undefined,
): Promise<SocketFolder> {
  const fits = (path: string): boolean => Buffer.byteLength(join(path, name)) <= LONGEST_PATH_BYTES;
  const inside = join(folder, 'socket');
  const isInside = fits(inside);
  const path = isInside ? inside : await shortFolder(join(folder, 'socket-folder'), user);
  const ensure = () => ensureClosed(path, user);
  await ensure();
  return {
    path,
    ensure,
    // A server that did not end in order may have left its socket there.
    leave: () => (isInside ? Promise.resolve() : rmdir(path).catch(() => undefined)),
  };
}

async function shortFolder(record: string, user: ServerUser | undefined): Promise<string> {
  const kept = (await readIfThere(record))?.trim();
  // The name is known to all by now: whoever took it meanwhile may keep it.
  if (kept && (await isOurs(kept, user))) return kept;
  const made = await makeShortFolder();
  await writePrivately(record, `${made}\n`);
  return made;
}

async function makeShortFolder(): Promise<string> {
  if (process.getuid?.() === 0) {
    // Only root can write there.
    const made = await mkdtemp('/run/floy-').catch(() => undefined);
    if (made !== undefined) return made;
  }
  return mkdtemp('/tmp/floy-');
}

async function isOurs(path: string, user: ServerUser | undefined): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isDirectory() === true && [ownUid(), user?.uid].includes(found.uid);
}

async function ensureClosed(path: string, user: ServerUser | undefined): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  if (!(await isOurs(path, user))) {
    throw new Error(`${path} is none of ours: another user has put it in the place of our sockets`);
  }
  const ours = [ownUid(), ...(user ? [user.uid] : [])];
  const why = await exchangeable(path, ours);
  if (why !== undefined) {
    throw new Error(`Others could exchange ${path}, which holds our sockets: ${why}`);
  }
  await chmod(path, 0o700);
  await giveTo(user, path);
}
