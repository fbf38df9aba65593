import { createFolderArtifactStore } from '@floy/service-kit/artifact-store';
import { unpackArchive } from '@floy/service-kit/unpack-archive';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readdir, realpath, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packArtifact } from '../artifact/pack-artifact.js';
import { LimitPassedError } from '../sandbox/exit-verdict.js';
import { storeArtifact, type TaskRun } from './build.js';

let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'floy-within-')));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('an artifact that takes hours to pack', () => {
  const store = (signal: AbortSignal, seconds: number) =>
    storeArtifact({
      deps: {
        artifacts: createFolderArtifactStore(join(root, 'store')),
        sandbox: { seen: <T>(folders: T) => folders },
      },
      context: { task: { timeout_seconds: seconds }, settings: { artifactPath: '' } },
      workspace: { source: join(root, 'source') },
      signal,
      log: () => undefined,
    } as unknown as TaskRun);
  beforeEach(async () => {
    await mkdir(join(root, 'source'));
    await writeFile(join(root, 'source/zeros'), '');
    await truncate(join(root, 'source/zeros'), 15 * 1024 ** 3);
  });

  it('is ended when the task has no time left', async () => {
    await expect(store(new AbortController().signal, 0.3)).rejects.toThrow(
      new LimitPassedError('packing the artifact took longer than 0.3 s and was ended'),
    );
    expect(await readdir(join(root, 'store/incoming'))).toEqual([]);
  });

  it('is ended when the task is cancelled', async () => {
    const cancel = new AbortController();
    const reason = new Error('cancelled');
    setTimeout(() => cancel.abort(reason), 100);
    await expect(store(cancel.signal, 60)).rejects.toBe(reason);
  });
});

it('stops unpacking a package when the task is cancelled', async () => {
  await mkdir(join(root, 'source'));
  await writeFile(join(root, 'source/a'), 'a');
  const into = join(root, 'into');
  await mkdir(into);
  const cancel = AbortSignal.abort(new Error('cancelled'));
  const packed = await packArtifact(join(root, 'source'));
  await expect(unpackArchive(packed, into, undefined, cancel)).rejects.toThrow('cancelled');
  expect(await readdir(into)).toEqual([]);
});
