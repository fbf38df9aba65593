import { CouldNotTellError, VerdictError } from '@floy/domain';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBuildUser } from '../sandbox/build-user.js';
import { createSandbox, type Sandbox } from '../sandbox/sandbox.js';
import { buildImage, digestIn, failureOf, findBuilder } from './build-image.js';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;
let root: string;
let sandbox: Sandbox;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'floy-image-test-'));
  sandbox = await createSandbox({ user: await findBuildUser('nobody') });
  await writeFile(join(root, 'Dockerfile'), 'FROM scratch\n');
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('finding a builder', () => {
  it('prefers buildah, takes docker, and says what to install without either', async () => {
    const folders = ['one', 'two'].map((name) => join(root, name));
    for (const folder of folders) await mkdir(folder);
    const path = folders.join(':');
    await expect(findBuilder(path)).rejects.toThrow(VerdictError);
    await expect(findBuilder(path)).rejects.toThrow(/install buildah .*or docker/);
    await writeFile(join(root, 'one', 'docker'), '#!/bin/sh\n', { mode: 0o755 });
    expect(await findBuilder(path)).toEqual({ kind: 'docker', program: join(root, 'one/docker') });
    await writeFile(join(root, 'two', 'buildah'), '#!/bin/sh\n', { mode: 0o755 });
    expect(await findBuilder(path)).toEqual({
      kind: 'buildah',
      program: join(root, 'two/buildah'),
    });
  });
});

describe('buildImage', () => {
  const run = async (script: string, changes: object = {}) => {
    let output = '';
    const program = join(root, 'builder');
    await writeFile(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const built = buildImage({
      sandbox,
      builder: { kind: 'buildah', program },
      folder: root,
      dockerfile: 'Dockerfile',
      buildArgs: {},
      registry: 'ghcr.io/org',
      registryAuth: 'me:sentinel',
      name: 'shop',
      tag: 'v1',
      timeoutSeconds: 10,
      onOutput: (text) => void (output += text),
      ...changes,
    });
    return built.then((answer) => ({ ...answer, output }));
  };
  const ownFolders = async () =>
    (await readdir(tmpdir())).filter((name) => name.startsWith(`floy-image-${process.pid}.`));

  it('hands the credentials over in a file of its own and answers the digest', async () => {
    const answer = await run(`
      echo "$*" | grep -q sentinel && exit 9
      for word; do case $word in
        --authfile=*) stat -c '%a' "\${word#*=}"; grep -c auths "\${word#*=}";;
        --digestfile=*) printf %s ${DIGEST} >"\${word#*=}";;
      esac; done`);
    expect(answer).toEqual({
      image: `ghcr.io/org/shop@${DIGEST}`,
      digest: DIGEST,
      output: '600\n1\n600\n1\n',
    });
    expect(await ownFolders()).toEqual([]);
  });

  it('tells a Dockerfile that fails from a registry that refuses', async () => {
    await expect(run('echo no such step; exit 3')).rejects.toThrow(
      new VerdictError('buildah build ended with exit code 3'),
    );
    await expect(
      run('[ $1 = build ] || { echo "unauthorized: me:sentinel"; exit 1; }'),
    ).rejects.toThrow(/ghcr.io\/org refused access: check registry_auth \(unauthorized: \*\*\*\)/);
    await expect(run('true')).rejects.toThrow(/digest/);
  });

  it('refuses what cannot work before it starts anything', async () => {
    await symlink('/etc/passwd', join(root, 'outside'));
    await expect(run('exit 9', { dockerfile: '../x' })).rejects.toThrow(/outside of the checkout/);
    await expect(run('exit 9', { dockerfile: 'outside' })).rejects.toThrow(/symbolic link/);
    await expect(run('exit 9', { dockerfile: 'none' })).rejects.toThrow(
      /dockerfile "none" does not/,
    );
    await expect(run('exit 9', { registry: undefined })).rejects.toThrow(/needs a registry/);
  });
});

describe('what a builder says', () => {
  it('is understood', () => {
    const daemon = 'ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.';
    expect(failureOf('docker', 'r', daemon)?.message).toMatch(/daemon does not answer: start it/);
    expect(failureOf('docker', 'r', 'dial tcp: connection refused')).toBeInstanceOf(
      CouldNotTellError,
    );
    expect(failureOf('docker', 'r', 'COPY failed')).toBeUndefined();
    const printed = `other.io/a@sha256:${'f'.repeat(64)}\nghcr.io/a@${DIGEST}\n`;
    expect(digestIn(printed, 'ghcr.io/a@')).toBe(DIGEST);
    expect(digestIn('sha256:12', '')).toBeUndefined();
  });
});
