import { CouldNotTellError, messageOf, VerdictError } from '@floy/domain';
import { lstat, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Finds a repository of this machine by its address, a path or `file://…`, and answers its folder.
 * Throws `VerdictError` when nothing is there, and when a part of it leads elsewhere: whoever may
 * write to the repository would choose what is built. Git sees nothing but this folder afterwards;
 * here is said why it finds too little.
 */
export async function findLocalRepository(address: string): Promise<string> {
  const path = address.startsWith('/') ? address : pathOf(address);
  const folder = (await folderAt(path)) ?? (await folderAt(`${path}.git`));
  if (folder === undefined) throw new VerdictError(`there is no git repository at ${address}`);
  const refuse = (what: string): never => {
    throw new VerdictError(
      `the repository ${address} ${what}, and Floy reads nothing outside of a repository: ` +
        'name the one that is meant, or make this one complete (git repack -a, git clone)',
    );
  };
  try {
    const inner = await statOf(join(folder, '.git'));
    if (inner && !inner.isDirectory()) return refuse('has a .git that leads to another one');
    const git = inner ? join(folder, '.git') : folder;
    if (await statOf(join(git, 'commondir'))) return refuse('is a worktree of another one');
    // Its contents do not matter, and to open what it is could take for ever.
    const alternates = await statOf(join(git, 'objects/info/alternates'));
    if (alternates && (!alternates.isFile() || alternates.size > 0)) {
      return refuse('borrows objects of another one (alternates)');
    }
    const link = await linkIn(git);
    if (link !== undefined) return refuse(`holds a symbolic link (${link})`);
  } catch (error) {
    if (error instanceof VerdictError) throw error;
    throw new CouldNotTellError(`the repository ${address} cannot be read: ${messageOf(error)}`);
  }
  return folder;
}

function pathOf(address: string): string {
  const { pathname } = new URL(address);
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}

async function folderAt(path: string): Promise<string | undefined> {
  const real = await realpath(path).catch(() => undefined);
  return real !== undefined && (await statOf(real))?.isDirectory() ? real : undefined;
}

const statOf = (path: string) => lstat(path).catch(missing);

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
}

/** The first link among what git reads; its hooks are none of that. */
async function linkIn(git: string): Promise<string | undefined> {
  const entries = await readdir(git, { withFileTypes: true });
  for (const entry of entries) {
    if (entry.isSymbolicLink()) return entry.name;
    if (!entry.isDirectory() || !['objects', 'refs'].includes(entry.name)) continue;
    const below = await readdir(join(git, entry.name), { withFileTypes: true, recursive: true });
    const found = below.find((each) => each.isSymbolicLink());
    if (found) return join(entry.name, found.name);
  }
  return undefined;
}
