import { VerdictError } from '@floy/domain';
import { Readable } from 'node:stream';
import { extract, type Header } from 'tar-stream';
import { gunzipMember } from './gunzip-member.js';
import { strictTar } from './strict-tar.js';

/** What an archive would put on the disk, at a path without `.`, `..` or a slash at its ends. */
export interface ArchiveEntry {
  readonly path: string;
  readonly kind: ArchiveKind;
  readonly executable: boolean;
  /** Of links: where to. Of hard links: the path of a file that came before. */
  readonly target: string;
  /** Of files: to be read to its end, or not at all, before the next entry is asked for. */
  readonly contents: AsyncIterable<unknown>;
}

type ArchiveKind = 'file' | 'folder' | 'link' | 'hardlink';

/** Bounds of what an archive may become on a disk. */
export interface ArchiveLimits {
  readonly entries: number;
  readonly bytes: number;
}

const LIMITS: ArchiveLimits = { entries: 500_000, bytes: 20 * 1024 ** 3 };
const KINDS: Readonly<Partial<Record<string, ArchiveKind>>> = {
  file: 'file',
  directory: 'folder',
  symlink: 'link',
  link: 'hardlink',
};
/** Bits of the mode: who runs the file has the rights of its owner or group. */
const SET_ID = 0o6000;

/**
 * Reads an artifact (tar.gz), and refuses what could be read in another way elsewhere and what would
 * land outside of the folder it is unpacked in: absolute names, `..`, entries below a link, links
 * that leave, devices, and archives that grow out of bounds. It is done here and not by listing it
 * on a host, where names with line breaks can lie to a script.
 *
 * @throws VerdictError naming the entry
 */
export async function* archiveEntries(
  artifact: Readable,
  limits = LIMITS,
): AsyncGenerator<ArchiveEntry> {
  const plain = Readable.from(strictTar(gunzipMember(artifact)), { objectMode: false });
  const reader = extract();
  plain.once('error', (error) => reader.destroy(error));
  plain.pipe(reader);
  const kinds = new Map<string, ArchiveKind>();
  let bytes = 0;
  let entries = 0;
  try {
    for await (const entry of reader) {
      const { header } = entry;
      bytes += header.size ?? 0;
      entries += 1;
      if (entries > limits.entries || bytes > limits.bytes) {
        throw new VerdictError(
          `The archive is too large: ${entries} entries, ${bytes} bytes when unpacked`,
        );
      }
      const checked = checkedEntry(header, kinds);
      if (checked !== undefined) yield { ...checked, contents: entry };
      entry.resume();
    }
    // The reader of tar also ends where it was left in the middle.
    if (!plain.readableEnded) throw new VerdictError('The archive is cut off');
  } finally {
    plain.destroy();
    artifact.destroy();
  }
}

/** The entry, or undefined for the folder that everything lands in. */
function checkedEntry(
  header: Header,
  kinds: Map<string, ArchiveKind>,
): Omit<ArchiveEntry, 'contents'> | undefined {
  const { name, mode, linkname } = header;
  const refuse = (why: string): never => {
    throw new VerdictError(`The archive has an entry that ${why}: ${JSON.stringify(name)}`);
  };
  const kind = KINDS[header.type ?? ''] ?? refuse('is of an unknown kind');
  const target = linkname ?? '';
  const path = normal(name);
  const parts = path.split('/');
  if (name.startsWith('/')) refuse('is absolute');
  if (parts.includes('..')) refuse('leaves its folder');
  if (/[\0\ufffd]/.test(`${name}${target}`)) refuse('has a name that is not UTF-8');
  if (path === '') return kind === 'folder' ? undefined : refuse('stands for the whole folder');
  if (path.startsWith('.floy-')) refuse("has a name of Floy's own");
  if (kind !== 'folder' && name.endsWith('/')) refuse('is named as a folder and is none');
  for (let depth = 1; depth < parts.length; depth += 1) {
    const above = parts.slice(0, depth).join('/');
    const found = kinds.get(above) ?? 'folder';
    if (found === 'link' || found === 'hardlink') refuse('goes through a link');
    if (found === 'file') refuse('goes through a file');
    kinds.set(above, 'folder');
  }
  const before = kinds.get(path);
  if (before !== undefined && (before !== 'folder' || kind !== 'folder')) refuse('comes twice');
  if (kind === 'file' && (mode & SET_ID) !== 0) refuse('gives the rights of its owner to others');
  if (kind === 'link' && leaves(parts, target)) {
    refuse(`is a link that leaves its folder (${target})`);
  }
  if (kind === 'hardlink') {
    const file = kinds.get(normal(target));
    if (target.startsWith('/') || (file !== 'file' && file !== 'hardlink')) {
      refuse(`is a hard link to what is no file before it (${target})`);
    }
  }
  kinds.set(path, kind);
  const executable = (mode & 0o111) !== 0;
  return { path, kind, executable, target: kind === 'hardlink' ? normal(target) : target };
}

/** `./a//b/` is `a/b`; `..` stays. */
function normal(path: string): string {
  return path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

/**
 * Whether a link could lead outside. Steps backwards are accepted only at the beginning, where what they
 * leave are real folders; after a name they could leave another link's target.
 */
function leaves(parts: readonly string[], target: string): boolean {
  if (target === '' || target.startsWith('/')) return true;
  const steps = target.split('/').filter((part) => part !== '' && part !== '.');
  const names = steps.findIndex((part) => part !== '..');
  const back = names < 0 ? steps.length : names;
  return back > parts.length - 1 || steps.slice(back).includes('..');
}
