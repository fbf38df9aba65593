import type { Readable } from 'node:stream';
import { archiveEntries, type ArchiveRules } from './archive-entries.js';

/**
 * Reads an artifact (tar.gz) once, before any byte of it goes to a host.
 *
 * @throws VerdictError naming the entry that is refused; see `archiveEntries`
 */
export async function checkArchive(artifact: Readable, rules?: ArchiveRules): Promise<void> {
  const entries = archiveEntries(artifact, rules);
  while ((await entries.next()).done !== true);
}
