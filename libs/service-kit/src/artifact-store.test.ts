import { ConflictError, NotFoundError, VerdictError } from '@floy/domain';
import { needsRoot } from '@floy/testing/needs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import {
  chown,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createFolderArtifactStore } from './artifact-store.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'floy-artifacts-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const pathOf = (hash: string) => join(folder, 'sha256', hash.slice(0, 2), hash);

describe('the folder artifact store', () => {
  it('gives back what was stored, from a stream and from a file', async () => {
    const store = createFolderArtifactStore(folder);
    const bytes = randomBytes(300_000);
    const stored = await store.put(Readable.from([bytes.subarray(0, 7), bytes.subarray(7)]));
    expect(stored).toEqual({ sha256: sha256(bytes), size: bytes.length });
    const file = join(folder, 'made-elsewhere');
    await writeFile(file, bytes);
    expect(await store.put(file)).toEqual(stored);
    expect(await store.has(stored.sha256)).toBe(true);
    const opened = await store.open(stored.sha256);
    expect(opened.size).toBe(bytes.length);
    expect((await buffer(opened.stream())).equals(bytes)).toBe(true);
    expect((await buffer(opened.stream())).equals(bytes)).toBe(true);
  });

  it('takes the same several times at the same moment', async () => {
    const stores = [createFolderArtifactStore(folder), createFolderArtifactStore(folder)];
    const bytes = randomBytes(50_000);
    const stored = await Promise.all(stores.map((store) => store.put(Readable.from([bytes]))));
    expect(stored[0]).toEqual(stored[1]);
    expect((await readFile(pathOf(sha256(bytes)))).equals(bytes)).toBe(true);
    expect(await readdir(join(folder, 'incoming'))).toEqual([]);
  });

  it('stores nothing of a source that fails', async () => {
    const store = createFolderArtifactStore(folder);
    const failing = Readable.from(
      (function* () {
        yield Buffer.from('half');
        throw new Error('the build went away');
      })(),
    );
    await expect(store.put(failing)).rejects.toThrow('the build went away');
    await expect(store.put(join(folder, 'none'))).rejects.toThrow(/ENOENT/);
    expect(await readdir(join(folder, 'incoming'))).toEqual([]);
    expect(await store.has(sha256(Buffer.from('half')))).toBe(false);
  });

  it('knows no artifact by another name, least of all by a path', async () => {
    const store = createFolderArtifactStore(folder);
    for (const name of [sha256(Buffer.from('x')), '../installation', '', 'A'.repeat(64)]) {
      await expect(store.open(name)).rejects.toThrow(NotFoundError);
    }
  });

  it('fails the stream of a damaged artifact, and storing it again repairs it', async () => {
    const store = createFolderArtifactStore(folder);
    const bytes = randomBytes(100_000);
    const stored = await store.put(Readable.from([bytes]));
    await writeFile(pathOf(stored.sha256), randomBytes(100_000));
    await expect(buffer((await store.open(stored.sha256)).stream())).rejects.toThrow(VerdictError);
    await store.put(Readable.from([bytes]));
    expect((await buffer((await store.open(stored.sha256)).stream())).equals(bytes)).toBe(true);
    await truncate(pathOf(stored.sha256), 10);
    await expect(buffer((await store.open(stored.sha256)).stream())).rejects.toThrow(/damaged/);
    await store.put(Readable.from([bytes]));
    expect((await buffer((await store.open(stored.sha256)).stream())).equals(bytes)).toBe(true);
  });

  it('belongs to one installation', async () => {
    const store = createFolderArtifactStore(join(folder, 'made', 'when', 'missing'));
    const answers = await Promise.allSettled(
      ['one', 'two', 'three', 'four'].map((id) => store.checkInstallation(id)),
    );
    expect(answers.filter((answer) => answer.status === 'fulfilled')).toHaveLength(1);
    const owner = ['one', 'two', 'three', 'four'][
      answers.findIndex((answer) => answer.status === 'fulfilled')
    ];
    await store.checkInstallation(owner ?? '');
    await expect(store.checkInstallation('five')).rejects.toThrow(ConflictError);
    await expect(store.checkInstallation('five')).rejects.toThrow(
      `installation ${owner}, this one`,
    );
  });

  it('removes what a killed process left long ago', async () => {
    const store = createFolderArtifactStore(folder);
    await store.checkInstallation('one');
    for (const name of ['old', 'new']) await writeFile(join(folder, 'incoming', name), 'half');
    await utimes(join(folder, 'incoming', 'old'), 0, 0);
    await store.checkInstallation('one');
    expect(await readdir(join(folder, 'incoming'))).toEqual(['new']);
  });
});

const describeAsRoot = await needsRoot();

describeAsRoot('an artifact store that root writes to', () => {
  it('belongs to the owner of its folder, who reads it', async () => {
    await chown(folder, 12_345, 12_346);
    const store = createFolderArtifactStore(folder);
    await store.checkInstallation('one');
    const { sha256: name } = await store.put(Readable.from(['bytes']));
    const made = ['incoming', 'installation', 'sha256', `sha256/${name.slice(0, 2)}`];
    for (const path of [...made.map((each) => join(folder, each)), pathOf(name)]) {
      const { uid, gid } = await stat(path);
      expect([path, uid, gid]).toEqual([path, 12_345, 12_346]);
    }
  });
});
