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
  /** Files, links, and folders, also those that are in the name of another entry only. */
  readonly entries: number;
  readonly bytes: number;
}

/** What an archive may be. */
export interface ArchiveRules {
  readonly limits?: ArchiveLimits;
  /**
   * Whether links may lead out, though into no `.floy`: those of Floy's own builds do. Nothing is
   * ever unpacked or read through one.
   */
  readonly linksOut?: boolean;
}

/** Of everything that is packed, unpacked or received. */
export const ARCHIVE_LIMITS: ArchiveLimits = { entries: 500_000, bytes: 20 * 1024 ** 3 };
/** Of a path and of a link's target: Linux takes no longer one. */
const LONGEST_PATH = 4096;
/** Of all paths and targets together, which whoever reads the archive may have to keep. Characters. */
const LONGEST_PATHS = 64 * 1024 * 1024;

/** What has come so far at a path, and below it. */
interface Place {
  kind: ArchiveKind;
  readonly below: Map<string, Place>;
}
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
  { limits = ARCHIVE_LIMITS, linksOut = false }: ArchiveRules = {},
): AsyncGenerator<ArchiveEntry> {
  const plain = Readable.from(strictTar(gunzipMember(artifact)), { objectMode: false });
  const reader = extract();
  plain.once('error', (error) => reader.destroy(error));
  plain.pipe(reader);
  const root: Place = { kind: 'folder', below: new Map() };
  const seen = { root, entries: 0 };
  let bytes = 0;
  let letters = 0;
  try {
    for await (const entry of reader) {
      const { header } = entry;
      bytes += header.size ?? 0;
      letters += header.name.length + (header.linkname?.length ?? 0);
      const checked = checkedEntry(header, seen, linksOut);
      if (seen.entries > limits.entries || bytes > limits.bytes || letters > LONGEST_PATHS) {
        throw new VerdictError(
          `The archive is too large: ${seen.entries} entries, ${bytes} bytes when unpacked, ${letters} letters in names`,
        );
      }
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
  seen: { readonly root: Place; entries: number },
  linksOut: boolean,
): Omit<ArchiveEntry, 'contents'> | undefined {
  const { name, mode, linkname } = header;
  const refuse = (why: string): never => {
    const shown = name.length > 500 ? `${name.slice(0, 500)}…` : name;
    throw new VerdictError(`The archive has an entry that ${why}: ${JSON.stringify(shown)}`);
  };
  const kind = KINDS[header.type ?? ''] ?? refuse('is of an unknown kind');
  const target = linkname ?? '';
  if (name.length > LONGEST_PATH || target.length > LONGEST_PATH) refuse('has too long a name');
  const path = normal(name);
  const parts = path.split('/');
  if (name.startsWith('/')) refuse('is absolute');
  if (parts.includes('..')) refuse('leaves its folder');
  if (/[\0\ufffd]/.test(`${name}${target}`)) refuse('has a name that is not UTF-8');
  if (path === '') return kind === 'folder' ? undefined : refuse('stands for the whole folder');
  if (path.startsWith('.floy-')) refuse("has a name of Floy's own");
  if (kind !== 'folder' && name.endsWith('/')) refuse('is named as a folder and is none');
  let above = seen.root;
  const at = (part: string, made: ArchiveKind): Place => {
    const before = above.below.get(part);
    if (before !== undefined) return before;
    seen.entries += 1;
    const place = { kind: made, below: new Map() };
    above.below.set(part, place);
    return place;
  };
  for (const part of parts.slice(0, -1)) {
    above = at(part, 'folder');
    if (above.kind === 'link' || above.kind === 'hardlink') refuse('goes through a link');
    if (above.kind === 'file') refuse('goes through a file');
  }
  const last = parts.at(-1) ?? '';
  const before = above.below.get(last);
  if (before !== undefined && (before.kind !== 'folder' || kind !== 'folder'))
    refuse('comes twice');
  if (kind === 'file' && (mode & SET_ID) !== 0) refuse('gives the rights of its owner to others');
  if (kind === 'link') {
    if (target === '') refuse('is a link to nothing');
    if (target.split('/').includes('.floy')) refuse(`is a link into a .floy (${target})`);
    if (!linksOut && leaves(parts, target)) refuse(`is a link that leaves its folder (${target})`);
  }
  if (kind === 'hardlink') {
    const file = kindAt(seen.root, normal(target));
    if (target.startsWith('/') || (file !== 'file' && file !== 'hardlink')) {
      refuse(`is a hard link to what is no file before it (${target})`);
    }
  }
  at(last, kind);
  const executable = (mode & 0o111) !== 0;
  return { path, kind, executable, target: kind === 'hardlink' ? normal(target) : target };
}

function kindAt(root: Place, path: string): ArchiveKind | undefined {
  let place: Place | undefined = root;
  for (const part of path.split('/')) place = place?.below.get(part);
  return place?.kind;
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
  if (target.startsWith('/')) return true;
  const steps = target.split('/').filter((part) => part !== '' && part !== '.');
  const names = steps.findIndex((part) => part !== '..');
  const back = names < 0 ? steps.length : names;
  return back > parts.length - 1 || steps.slice(back).includes('..');
}
