import { ConflictError, messageOf, NotFoundError, VerdictError } from '@floy/domain';
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lchown, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline, Transform, type Readable, type TransformCallback } from 'node:stream';
import { ConfigError } from './config.js';

/** What an artifact is known by: the lower case hex sha256 of its bytes, and how many there are. */
export interface StoredArtifact {
  sha256: string;
  size: number;
}

export interface OpenArtifact {
  size: number;
  /**
   * The bytes from the start. The stream fails (`VerdictError`) before its end when they are not
   * the ones the artifact is named by, so that whoever sees the end has seen the right bytes.
   */
  stream(): Readable;
}

/** Where builds leave what they made and deployers fetch it: by content, never changed. */
export interface ArtifactStore {
  /**
   * Stores a stream, or the file at a path, and names it. It exists afterwards wholly or, when the
   * source fails, not at all; storing what is there already repairs it where it was damaged.
   */
  put(source: Readable | string): Promise<StoredArtifact>;
  has(sha256: string): Promise<boolean>;
  /** Throws `NotFoundError` when there is none of that name. */
  open(sha256: string): Promise<OpenArtifact>;
  /**
   * The store belongs to one installation, the first that calls this. Throws `ConflictError` for
   * any other: its deployers would look for artifacts that its runners put elsewhere.
   */
  checkInstallation(id: string): Promise<void>;
}

/** Whatever a killed process left in `incoming` longer ago than this is removed. */
const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1000;

/**
 * The artifacts of an installation below FLOY_ARTIFACTS.
 *
 * @throws ConfigError where the folder cannot be used, or is that of another installation
 */
export async function openArtifactStore(
  folder: string,
  installation: string,
): Promise<ArtifactStore> {
  const artifacts = createFolderArtifactStore(folder);
  try {
    await artifacts.checkInstallation(installation);
  } catch (error) {
    const reason = `the folder ${folder} cannot be used: ${messageOf(error)}`;
    throw new ConfigError({ FLOY_ARTIFACTS: reason }, { cause: error });
  }
  return artifacts;
}

/** Artifacts as files of one folder, which runners and deployers share. Made when it is missing. */
export function createFolderArtifactStore(folder: string): ArtifactStore {
  const incoming = join(folder, 'incoming');
  const owner = join(folder, 'installation');
  const fileOf = (sha256: string): string => {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw missing(sha256);
    return join(folder, 'sha256', sha256.slice(0, 2), sha256);
  };
  /** A runner that is root writes for the folder's owner: the deployers may be another user. */
  const giveToOwner = async (path: string): Promise<void> => {
    if (process.getuid?.() !== 0) return;
    const { uid, gid } = await stat(folder);
    await lchown(path, uid, gid);
  };
  const makeFolder = async (...parts: string[]): Promise<void> => {
    for (let n = 0; n <= parts.length; n += 1) {
      const path = join(folder, ...parts.slice(0, n));
      await mkdir(path, { recursive: true, mode: 0o700 });
      await giveToOwner(path);
    }
  };

  return {
    async put(source) {
      await makeFolder('incoming');
      const arriving = join(incoming, randomUUID());
      try {
        const stored = await write(source, arriving);
        const file = fileOf(stored.sha256);
        await makeFolder('sha256', stored.sha256.slice(0, 2));
        await giveToOwner(arriving);
        // Also over one that is there: it has the same bytes, or was damaged since.
        await rename(arriving, file);
        await syncFolder(dirname(file));
        return stored;
      } finally {
        await rm(arriving, { force: true });
      }
    },

    has: async (sha256) => (await sizeOf(fileOf(sha256))) !== undefined,

    async open(sha256) {
      const file = fileOf(sha256);
      const size = await sizeOf(file);
      if (size === undefined) throw missing(sha256);
      // The stream that `pipeline` gives back reports what went wrong in either of the two.
      const stream = () => pipeline(createReadStream(file), verifying(sha256), () => undefined);
      return { size, stream };
    },

    async checkInstallation(id) {
      await makeFolder('incoming');
      const mine = join(incoming, randomUUID());
      const handle = await open(mine, 'wx', 0o600);
      try {
        await handle.writeFile(`${id}\n`);
        await handle.sync();
        await giveToOwner(mine);
        // A link fails where the file exists and shows it only when it is whole: the first wins.
        await link(mine, owner).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'EEXIST') throw error;
        });
      } finally {
        await handle.close();
        await rm(mine, { force: true });
      }
      const found = (await readFile(owner, 'utf8')).trim();
      if (found !== id) {
        throw new ConflictError(
          `the artifact folder ${folder} belongs to the Floy installation ${found}, this one is ${id}`,
        );
      }
      await removeAbandoned(incoming);
    },
  };
}

async function write(source: Readable | string, file: string): Promise<StoredArtifact> {
  const stream = typeof source === 'string' ? createReadStream(source) : source;
  // A source may fail before anyone reads it; the loop below finds that out and throws it.
  stream.once('error', () => undefined);
  const hash = createHash('sha256');
  let size = 0;
  const handle = await open(file, 'wx', 0o600).catch((error: unknown) => {
    stream.destroy();
    throw error;
  });
  try {
    for await (const chunk of stream as AsyncIterable<Buffer | string>) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      hash.update(bytes);
      size += bytes.length;
      for (let from = 0; from < bytes.length;) {
        from += (await handle.write(bytes, from)).bytesWritten;
      }
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { sha256: hash.digest('hex'), size };
}

function verifying(sha256: string): Transform {
  const hash = createHash('sha256');
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done: TransformCallback) {
      const found = hash.digest('hex');
      if (found === sha256) done();
      else done(new VerdictError(`artifact ${sha256} is damaged: its bytes have sha256 ${found}`));
    },
  });
}

function missing(sha256: string): NotFoundError {
  return new NotFoundError(`there is no artifact ${sha256}`);
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A rename survives a power cut only once the folder is on disk. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function removeAbandoned(incoming: string): Promise<void> {
  for (const name of await readdir(incoming)) {
    const file = join(incoming, name);
    const found = await stat(file).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS) await rm(file, { force: true });
  }
}
