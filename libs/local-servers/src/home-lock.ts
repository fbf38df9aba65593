import { close, ftruncate, write } from 'node:fs';
import { chmod, lstat, mkdir, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { exchangeableFolder, exchangeableLink, ownUid } from './exchangeable.js';
import { lockFile } from './file-lock.js';
import { readIfThere } from './kept-file.js';
import { poll } from './poll.js';

const HOLDER_MS = 1000;

/** The right to be the only Floy on a data folder. */
export interface HomeLock {
  /** The folder itself, without links on the way: nobody can lead it elsewhere by now. */
  readonly folder: string;
  release(): Promise<void>;
}

/**
 * Makes the data folder if needed and takes it for this process. Refuses when another process has
 * it, or when another user could write to it or exchange it. The lock is the kernel's, on a file in
 * the folder: it is free the moment its holder dies, however it dies.
 *
 * @throws Error naming the holder's process id, or the folder
 */
export async function lockHome(home: string): Promise<HomeLock> {
  await refuse(home, await exchangeableLink(home, [ownUid()]));
  const made = await mkdir(home, { recursive: true });
  const folder = await ownHome(home);
  if (made !== undefined || (await readdir(folder)).length === 0) {
    // Postgres, run as another user by root, has to pass through; what is secret has mode 0600.
    await chmod(folder, process.getuid?.() === 0 ? 0o711 : 0o700);
  }
  const file = join(folder, 'lock');
  const descriptor = await lockFile(file);
  if (descriptor === undefined) {
    // Whoever took it a moment ago has still to write who that is.
    const holder = await poll(
      HOLDER_MS,
      async () => (await readIfThere(file))?.trim() || undefined,
    );
    throw new Error(
      `Another Floy (process ${holder ?? 'unknown'}) is running on the data folder ${home}: ` +
        'stop it first, or set FLOY_HOME to a folder of its own',
    );
  }
  await promisify(ftruncate)(descriptor, 0);
  const text = Buffer.from(`${process.pid}\n`);
  await promisify(write)(descriptor, text, 0, text.length, 0);
  return { folder, release: () => promisify(close)(descriptor) };
}

/**
 * The data folder without links on the way, if it is there and nobody else can change or exchange it.
 * It may be anything that FLOY_HOME names.
 *
 * @throws Error saying who could
 */
export async function ownHome(home: string): Promise<string> {
  await refuse(home, await exchangeableLink(home, [ownUid()]));
  // Looked up once: a name that leads to and fro is asked where it leads no second time.
  const folder = await realpath(home);
  const isOpen = ((await lstat(folder)).mode & 0o002) !== 0;
  await refuse(home, await exchangeableFolder(folder, [ownUid()]));
  await refuse(home, isOpen ? `everybody may write to ${home}` : undefined);
  return folder;
}

async function refuse(home: string, why: string | undefined): Promise<void> {
  if (why === undefined) return;
  throw new Error(
    `Others could change the data folder ${home}, because ${why}: ` +
      "set FLOY_HOME to a folder of Floy's own",
  );
}
