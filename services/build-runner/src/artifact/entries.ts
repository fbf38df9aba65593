import { VerdictError } from '@floy/domain';
import { ARCHIVE_LIMITS, type ArchiveLimits } from '@floy/service-kit/archive-entries';
import { lstat, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { openFolder } from '../sandbox/folders.js';

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

/** Bounds of what is packed. */
export interface PackLimits extends ArchiveLimits {
  /** Of entries in one folder: their names are sorted in memory. */
  readonly inFolder: number;
}

/** Every reader of the archive refuses later what is larger, so that nobody packs it first. */
const LARGEST: PackLimits = { ...ARCHIVE_LIMITS, inFolder: 100_000 };
const LONGEST_TARGET = 4096;
const MOST_PARTS = 256;

/** What a link holds on hosts; throws `VerdictError` for one that may not ship. */
export type TargetOf = (link: { name: string; target: string }) => string | Promise<string>;

/**
 * The entries in an order that depends on their names alone, each folder before its contents.
 *
 * @throws VerdictError naming what cannot be shipped or is too large
 */
export async function* entriesOf(
  source: ArtifactSource,
  targetOf: TargetOf,
  limits = LARGEST,
): AsyncGenerator<Entry> {
  let entries = 0;
  let bytes = 0;
  const found = source.isFolder
    ? walk(source, targetOf, limits.inFolder)
    : single(source, targetOf);
  for await (const entry of found) {
    entries += 1;
    bytes += entry.type === 'file' ? entry.size : 0;
    if (entries > limits.entries || bytes > limits.bytes) {
      const most = `more than ${limits.entries} entries or ${limits.bytes} bytes`;
      throw new VerdictError(
        `the artifact is too large, with ${most}: at ${shortened(entry.name)}`,
      );
    }
    yield entry;
  }
}

async function* single({ path }: ArtifactSource, targetOf: TargetOf): AsyncGenerator<Entry> {
  yield await entryOf(dirname(path), basename(path), targetOf);
}

async function* walk(
  { path: root, isCheckout }: ArtifactSource,
  targetOf: TargetOf,
  most: number,
): AsyncGenerator<Entry> {
  // The next one last. A list, since a folder may be as deep as a path is long.
  const waiting = (await namesIn(root, '', most)).filter((name) => !isCheckout || name !== '.git');
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const entry = await entryOf(root, name, targetOf).catch(refuseUnreadable(name));
    yield entry;
    if (entry.type !== 'directory') continue;
    for (const each of await namesIn(root, name, most)) waiting.push(`${name}/${each}`);
  }
}

/** The names in a folder, the last one first. */
async function namesIn(root: string, below: string, most: number): Promise<string[]> {
  // Each character is one byte. Their order is neither a locale's nor that of UTF-16 but that of
  // the bytes, as `LC_ALL=C sort` has it.
  const names: string[] = [];
  const folder = await openFolder(Buffer.from(join(root, below))).catch(refuseUnreadable(below));
  for await (const { name } of folder) {
    names.push(name.toString('latin1'));
    if (names.length > most) {
      const where = below === '' ? 'in one folder' : `in its folder ${shortened(below)}`;
      throw new VerdictError(`the artifact holds more than ${most} entries ${where}`);
    }
  }
  names.sort();
  return names.map((name) => Buffer.from(name, 'latin1').toString('utf8')).reverse();
}

/** What to do about an error by which the build's own paths and modes keep Floy from reading. */
export function refuseUnreadable(name: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    if (error.code !== 'ENAMETOOLONG' && error.code !== 'EACCES') throw error;
    const why = error.code === 'EACCES' ? 'may not be read' : 'has too long a path';
    throw new VerdictError(`the artifact holds something that ${why}: ${shortened(name)}`);
  };
}

const shortened = (name: string): string => (name.length > 200 ? `${name.slice(0, 200)}…` : name);

async function entryOf(root: string, name: string, targetOf: TargetOf): Promise<Entry> {
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
  if (Buffer.byteLength(target) > LONGEST_TARGET || target.split('/').length > MOST_PARTS) {
    const parts = `more than ${MOST_PARTS} parts or ${LONGEST_TARGET} bytes`;
    throw new VerdictError(`the artifact holds a symbolic link with ${parts}: ${shortened(name)}`);
  }
  return { type: 'symlink', name, target: await targetOf({ name, target }) };
}

function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
