import { CouldNotTellError, VerdictError } from '@floy/domain';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSandbox, type Sandbox } from '../sandbox/sandbox.js';
import { TEST_USERS } from '../sandbox/users.fixture.js';
import { buildImage, digestIn, failureOf, findBuilder } from './build-image.js';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;
let root: string;
let sandbox: Sandbox;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'floy-image-test-'));
  sandbox = await createSandbox({ users: TEST_USERS, unconfined: true });
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
    expect(await findBuilder(path)).toMatchObject({
      kind: 'docker',
      program: join(root, 'one/docker'),
    });
    await writeFile(join(root, 'two', 'buildah'), '#!/bin/sh\n', { mode: 0o755 });
    expect(await findBuilder(path)).toEqual({
      kind: 'buildah',
      program: join(root, 'two/buildah'),
      ownStorage: process.getuid?.() !== 0,
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

  it('lets buildah find at the push what it built, and leaves nothing of it', async () => {
    const ended = join(root, 'unshared');
    const script = `
      store=$HOME/.local/share/containers
      for word; do case $word in
        --root=*) store=\${word#*=}; shift;;
        --runroot=*) shift;;
      esac; done
      case $1 in
        build) mkdir -p "$store" && echo layer >"$store/image";;
        push) [ -e "$store/image" ] || { echo 'image not known'; exit 125; }
          for word; do case $word in
            --digestfile=*) printf %s ${DIGEST} >"\${word#*=}";;
          esac; done;;
        unshare) shift; echo "$*" >${ended}; exec "$@";;
      esac`;
    const builder = { kind: 'buildah', program: join(root, 'builder'), ownStorage: true };
    await expect(run(script, { builder })).resolves.toMatchObject({ digest: DIGEST });
    expect(await readFile(ended, 'utf8')).toMatch(/^rm -rf -- \/.*\/layers \/.*\/run\n$/);
    expect(await ownFolders()).toEqual([]);
  });

  it("finds the digest in docker's own name of what it pushed to docker's own registry", async () => {
    const script = `[ $2 = image ] && echo acme/shop@${DIGEST}; exit 0`;
    const answer = await run(script, {
      builder: { kind: 'docker', program: join(root, 'builder') },
      registry: 'docker.io/acme',
    });
    expect(answer.image).toBe(`docker.io/acme/shop@${DIGEST}`);
  });

  it('has a limit for silence', async () => {
    await expect(run('exec sleep 6401', { inactivitySeconds: 0.3 })).rejects.toThrow(
      new VerdictError('buildah build printed nothing for 0.3 s and was ended'),
    );
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
    for (const name of ['a', 'docker.io/a', 'docker.io/library/a', 'index.docker.io/library/a']) {
      expect(digestIn(`b@${'f'.repeat(64)}\na@${DIGEST}\n`, `${name}@`)).toBe(DIGEST);
      expect(digestIn(`${name}@${DIGEST}\n`, 'docker.io/a@')).toBe(DIGEST);
    }
    expect(digestIn('sha256:12', '')).toBeUndefined();
  });
});
