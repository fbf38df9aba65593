import { VerdictError } from '@floy/domain';
import { constants } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { once } from 'node:events';
import { dirname, join, relative } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { pack, type Header, type Pack } from 'tar-stream';
import {
  entriesOf,
  findInCheckout,
  refuseUnreadable,
  type Entry,
  type TargetOf,
  type PackLimits,
} from './entries.js';
import { builtTarget, packageTarget } from './links.js';
import { HEAD_BYTES, movableHead, type NewHead } from './movable-script.js';
import type { OwnBuild, ShippedFrom } from './own-build.js';

type FileEntry = Extract<Entry, { type: 'file' }>;

/** What bounds the packing. */
export interface PackOptions {
  /** Ends the stream with its reason. */
  readonly signal?: AbortSignal;
  /** What readers of the archive accept, when left out. */
  readonly limits?: PackLimits;
  /** What made it; without, it is a package from elsewhere, whose links may not lead out. */
  readonly own?: OwnBuild;
}

/**
 * Packs what `artifact_path` names in a checkout (the checkout without `.git` when it is empty)
 * into a tar.gz, as a stream to give to the artifact store. A folder's contents are the root of
 * the archive; a single file is its one entry. The same files make the same bytes: names sorted,
 * owner root, times zero, modes 755 or 644. What a build made may hold links that
 * lead out; Floy follows none. Its Python scripts are made to start wherever they lie. Throws, or ends the stream with, `VerdictError` for
 * what cannot be shipped. Destroying the stream ends the work.
 */
export async function packArtifact(
  folder: string,
  artifactPath = '',
  { signal, limits, own }: PackOptions = {},
): Promise<Readable> {
  signal?.throwIfAborted();
  const source = await findInCheckout(folder, artifactPath, 'artifact_path');
  const from = own && shippedFrom(own, await realpath(folder), source.path);
  const targetOf: TargetOf = (link) =>
    from === undefined ? packageTarget(source.path, link) : builtTarget(from, link);
  const tar = pack();
  const stop = (error: unknown): void => {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
  };
  const cancel = (): void => stop(signal?.reason);
  signal?.addEventListener('abort', cancel);
  if (signal?.aborted) cancel();
  void fill(tar, entriesOf(source, targetOf, limits), from)
    .catch(stop)
    .finally(() => signal?.removeEventListener('abort', cancel));
  // The level is said, so that another default of another Node does not make another artifact.
  return pipeline(Readable.from(tar), createGzip({ level: 6 }), () => undefined);
}

function shippedFrom(own: OwnBuild, checkout: string, packed: string): ShippedFrom {
  return {
    root: join(own.checkout, relative(checkout, packed)),
    passing: dirname(own.checkout),
    note: own.note,
  };
}

async function fill(
  tar: Pack,
  entries: AsyncGenerator<Entry>,
  from: ShippedFrom | undefined,
): Promise<void> {
  // Nobody drains an archive whose reader has gone: every wait below ends with this one.
  const gone = once(tar, 'close').then(() => {
    throw new Error('nobody reads the archive any more');
  });
  gone.catch(() => undefined);
  for await (const entry of entries) {
    if (tar.destroyed) await gone;
    if (entry.type === 'file') await Promise.race([addFile(tar, entry, from, gone), gone]);
    else tar.entry(headerOf(entry));
  }
  tar.finalize();
}

async function addFile(
  tar: Pack,
  entry: FileEntry,
  from: ShippedFrom | undefined,
  gone: Promise<never>,
): Promise<void> {
  const handle = await open(entry.file, constants.O_RDONLY | constants.O_NOFOLLOW).catch(
    refuseUnreadable(entry.name),
  );
  try {
    const head = from && (await newHead(from, entry, handle));
    const start = head?.replaces ?? 0;
    const size = entry.size - start;
    const sink = tar.entry(headerOf({ ...entry, size: size + (head?.text.length ?? 0) }));
    const done = once(sink, 'close');
    // Where a wait before it ends with an error, nobody waits for this one.
    done.catch(() => undefined);
    if (head) sink.write(head.text);
    let read = 0;
    for await (const chunk of handle.createReadStream({ start, autoClose: false })) {
      read += (chunk as Buffer).length;
      if (read > size) break;
      if (!sink.write(chunk)) await Promise.race([once(sink, 'drain'), gone]);
    }
    if (read !== size) {
      throw new VerdictError(`the artifact's ${entry.name} changed while it was packed`);
    }
    sink.end(undefined);
    await Promise.race([done, gone]);
  } finally {
    await handle.close();
  }
}

/** Another beginning for a script that would not start elsewhere. */
async function newHead(
  from: ShippedFrom,
  { name, executable }: FileEntry,
  handle: FileHandle,
): Promise<NewHead | undefined> {
  if (!executable) return undefined;
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
  return movableHead(from, name, buffer.toString('latin1', 0, bytesRead));
}

function headerOf(entry: Entry): Partial<Header> & Pick<Header, 'name'> {
  const always = { uid: 0, gid: 0, uname: '', gname: '', mtime: new Date(0) };
  switch (entry.type) {
    case 'directory':
      return { ...always, name: `${entry.name}/`, type: 'directory', mode: 0o755 };
    case 'symlink':
      return { ...always, name: entry.name, type: 'symlink', linkname: entry.target, mode: 0o777 };
    case 'file': {
      const mode = entry.executable ? 0o755 : 0o644;
      return { ...always, name: entry.name, type: 'file', size: entry.size, mode };
    }
  }
}
