import type { Readable } from 'node:stream';
import { archiveEntries, type ArchiveLimits } from './archive-entries.js';

/**
 * Reads an artifact (tar.gz) once, before any byte of it goes to a host.
 *
 * @throws VerdictError naming the entry that is refused; see `archiveEntries`
 */
export async function checkArchive(artifact: Readable, limits?: ArchiveLimits): Promise<void> {
  const entries = archiveEntries(artifact, limits);
  while ((await entries.next()).done !== true);
}
