import { messageOf, VerdictError } from '@floy/domain';
import { constants } from 'node:fs';
import { link, mkdir, open, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { archiveEntries, type ArchiveEntry, type ArchiveLimits } from './archive-entries.js';

/** Names that a disk does not take, or takes for the name of something else. */
const UNUSABLE = new Set(['EEXIST', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG', 'EILSEQ', 'EINVAL']);
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Unpacks an artifact from elsewhere into an empty folder that nobody else can enter, so that it can
 * be packed anew: what reaches hosts was then written by Floy alone. Links are made after everything
 * else, so that nothing is ever written through one.
 *
 * @throws VerdictError naming the entry that is refused; see `archiveEntries`
 */
export async function unpackArchive(
  artifact: Readable,
  folder: string,
  limits?: ArchiveLimits,
  signal?: AbortSignal,
): Promise<void> {
  const links: ArchiveEntry[] = [];
  for await (const entry of archiveEntries(artifact, { limits })) {
    signal?.throwIfAborted();
    if (entry.kind === 'link') links.push(entry);
    else await put(entry, folder);
  }
  for (const entry of links) {
    signal?.throwIfAborted();
    await put(entry, folder);
  }
}

async function put(entry: ArchiveEntry, folder: string): Promise<void> {
  const { path, kind, target, executable, contents } = entry;
  const at = join(folder, path);
  try {
    await mkdir(kind === 'folder' ? at : dirname(at), { recursive: true });
    if (kind === 'link') await symlink(target, at);
    else if (kind === 'hardlink') await link(join(folder, target), at);
    else if (kind === 'file') {
      const file = await open(at, NEW_FILE, executable ? 0o755 : 0o644);
      await pipeline(contents, file.createWriteStream());
    }
  } catch (error) {
    if (!UNUSABLE.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    const said = `The archive has an entry that cannot be unpacked: ${JSON.stringify(path)}`;
    throw new VerdictError(`${said} (${messageOf(error)})`);
  }
}
