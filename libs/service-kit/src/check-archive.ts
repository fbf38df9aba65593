import { VerdictError } from '@floy/domain';
import { pipeline } from 'node:stream';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type TarEntry, tarEntries } from './tar-entries.js';

/** Bounds of what an archive may become on a host's disk. */
export interface ArchiveLimits {
  readonly entries: number;
  readonly bytes: number;
}

const LIMITS: ArchiveLimits = { entries: 500_000, bytes: 20 * 1024 ** 3 };

/**
 * Reads an artifact (tar.gz) once, before any byte of it goes to a host, and refuses what would land
 * outside the folder it is unpacked in: absolute names, `..`, entries below a link, links that leave,
 * devices, and archives that grow out of bounds. It is done here and not by listing it on the host,
 * where names with line breaks can lie to a script.
 *
 * @throws VerdictError naming the entry
 */
export async function checkArchive(artifact: Readable, limits = LIMITS): Promise<void> {
  const plain = pipeline(artifact, createGunzip({ chunkSize: 64 * 1024 }), () => undefined);
  const kinds = new Map<string, TarEntry['kind']>();
  let bytes = 0;
  let entries = 0;
  try {
    for await (const entry of tarEntries(plain)) {
      bytes += entry.size;
      entries += 1;
      if (entries > limits.entries || bytes > limits.bytes) {
        throw new VerdictError(
          `The archive is too large: ${entries} entries, ${bytes} bytes when unpacked`,
        );
      }
      checkEntry(entry, kinds);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('Z_') === true) {
      throw new VerdictError('The artifact is not compressed by gzip, or is damaged');
    }
    throw error;
  } finally {
    plain.destroy();
    artifact.destroy();
  }
}

function checkEntry(entry: TarEntry, kinds: Map<string, TarEntry['kind']>): void {
  const path = normal(entry.path);
  const refuse = (why: string): never => {
    throw new VerdictError(`The archive has an entry that ${why}: ${JSON.stringify(entry.path)}`);
  };
  if (entry.path.startsWith('/')) refuse('is absolute');
  const parts = path.split('/');
  if (parts.includes('..')) refuse('leaves its folder');
  if (path.startsWith('.floy-')) refuse("has a name of Floy's own");
  for (let depth = 1; depth < parts.length; depth += 1) {
    const above = kinds.get(parts.slice(0, depth).join('/'));
    if (above === 'link' || above === 'hardlink') refuse('goes through a link');
  }
  const before = kinds.get(path);
  if (before !== undefined && (before === 'link' || entry.kind === 'link')) {
    refuse('comes twice, once as a link');
  }
  if (path === '' && entry.kind !== 'folder') refuse('stands for the whole folder');
  if (entry.kind === 'link' && leaves(parts, entry.target)) {
    refuse(`is a link that leaves its folder (${entry.target})`);
  }
  if (entry.kind === 'hardlink') {
    const target = kinds.get(normal(entry.target));
    if (entry.target.startsWith('/') || (target !== 'file' && target !== 'hardlink')) {
      refuse(`is a hard link to what is no file before it (${entry.target})`);
    }
  }
  kinds.set(path, entry.kind);
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
