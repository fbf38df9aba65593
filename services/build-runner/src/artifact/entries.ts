import { VerdictError } from '@floy/domain';
import { lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';

/** Something that goes into an archive. `name` has slashes and is relative to the archive's root. */
export type Entry =
  | { type: 'directory'; name: string }
  | { type: 'file'; name: string; file: string; size: number; executable: boolean }
  | { type: 'symlink'; name: string; target: string };

/** What to pack: a folder whose contents are the archive's root, or one file. */
export interface ArtifactSource {
  path: string;
  isFolder: boolean;
  /** Whether it is the checkout itself, whose `.git` stays out. */
  isCheckout: boolean;
}

/**
 * Finds what a setting names in a checkout; the checkout itself when it is empty. Throws
 * `VerdictError` when nothing is there or when it lies outside, by `..` or by a symbolic link.
 */
export async function findInCheckout(
  folder: string,
  path: string,
  setting: string,
): Promise<ArtifactSource> {
  const checkout = await realpath(folder);
  const named = path.trim();
  const refuse = (why: string): never => {
    throw new VerdictError(`${setting} ${JSON.stringify(named)} ${why}`);
  };
  if (named.includes('\0')) return refuse('holds a NUL character');
  const wanted = resolve(checkout, named);
  if (isAbsolute(named) || !isWithin(checkout, wanted)) {
    return refuse('lies outside of the checkout: name it relative to the root of the repository');
  }
  const real = await realpath(wanted).catch((error: NodeJS.ErrnoException) => {
    const missing = error.code === 'ENOENT' || error.code === 'ENOTDIR';
    return refuse(missing ? 'does not exist in the checkout' : `cannot be read (${error.code})`);
  });
  if (!isWithin(checkout, real)) return refuse('leads out of the checkout by a symbolic link');
  const found = await lstat(real);
  if (!found.isDirectory() && !found.isFile()) return refuse('is neither a folder nor a file');
  return { path: real, isFolder: found.isDirectory(), isCheckout: real === checkout };
}

/** The entries in an order that depends on their names alone, each folder before its contents. */
export async function* entriesOf(source: ArtifactSource): AsyncGenerator<Entry> {
  if (source.isFolder) yield* walk(source.path, '', source.isCheckout);
  else yield await entryOf(dirname(source.path), basename(source.path));
}

async function* walk(root: string, below: string, skipGit: boolean): AsyncGenerator<Entry> {
  const names = await readdir(join(root, below));
  // Not by locale, nor by UTF-16: the order of the bytes, as `LC_ALL=C sort` has it.
  names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const name of names) {
    if (skipGit && name === '.git') continue;
    const entry = await entryOf(root, below === '' ? name : `${below}/${name}`);
    yield entry;
    if (entry.type === 'directory') yield* walk(root, entry.name, false);
  }
}

async function entryOf(root: string, name: string): Promise<Entry> {
  if (name.includes('\ufffd')) {
    throw new VerdictError(`the artifact holds a file whose name is not UTF-8: ${name}`);
  }
  const file = join(root, name);
  const found = await lstat(file);
  if (found.isDirectory()) return { type: 'directory', name };
  if (found.isFile()) {
    return { type: 'file', name, file, size: found.size, executable: (found.mode & 0o111) !== 0 };
  }
  if (!found.isSymbolicLink()) {
    throw new VerdictError(`the artifact holds ${name}, which is no file, folder or symbolic link`);
  }
  const target = await readlink(file);
  if (isAbsolute(target) || !(await staysWithin(root, dirname(file), target))) {
    throw new VerdictError(
      `the artifact holds a symbolic link that leads out of it: ${name} -> ${target}`,
    );
  }
  return { type: 'symlink', name, target };
}

/**
 * Follows a link's target part by part as the kernel does: where a part is itself a link, `..`
 * after it goes up from where that leads, so that comparing texts is not enough. What does not
 * exist (yet) is taken by its name.
 */
async function staysWithin(root: string, from: string, target: string): Promise<boolean> {
  let at = await realpath(from);
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') at = dirname(at);
    else at = await realpath(join(at, part)).catch(() => join(at, part));
    if (!isWithin(root, at)) return false;
  }
  return true;
}

function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
