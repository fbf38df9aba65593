import { VerdictError } from '@floy/domain';
import { createFolderArtifactStore } from '@floy/service-kit/artifact-store';
import { waitFor } from '@floy/testing/wait-for';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { removeTree, takeBack } from '../sandbox/folders.js';
import { refuseUnreadable, type PackLimits } from './entries.js';
import { packArtifact } from './pack-artifact.js';

let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'floy-pack-')));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const put = async (path: string, text: string, mode = 0o644): Promise<void> => {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
  await chmod(join(root, path), mode);
};
const packed = async (folder: string, path?: string) =>
  buffer(await packArtifact(join(root, folder), path));
/** As GNU tar sees it. */
const list = (archive: Buffer): string[] =>
  execFileSync(
    'tar',
    ['--list', '--verbose', '--numeric-owner', '--utc', '--gzip', '--file', '-'],
    {
      input: archive,
      encoding: 'utf8',
    },
  )
    .trimEnd()
    .split('\n')
    .map((line) => line.replaceAll(/ +/g, ' '));
const refused = async (folder: string, path?: string): Promise<string> => {
  const failure = await packed(folder, path).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(VerdictError);
  return (failure as Error).message;
};

describe('packArtifact', () => {
  it('makes an archive that tar reads, of the contents of a folder', async () => {
    await put('work/dist/b/run.sh', 'echo', 0o4770);
    await put('work/dist/a.txt', 'hello', 0o600);
    await put('work/dist/Z', '');
    await put(`work/dist/${'long/'.repeat(40)}ünï 中.txt`, 'deep');
    await mkdir(join(root, 'work/dist/empty'));
    await symlink('../a.txt', join(root, 'work/dist/b/link'));
    const lines = list(await packed('work', 'dist/')).filter((line) => !line.includes('long'));
    expect(lines).toEqual([
      '-rw-r--r-- 0/0 0 1970-01-01 00:00 Z',
      '-rw-r--r-- 0/0 5 1970-01-01 00:00 a.txt',
      'drwxr-xr-x 0/0 0 1970-01-01 00:00 b/',
      'lrwxrwxrwx 0/0 0 1970-01-01 00:00 b/link -> ../a.txt',
      '-rwxr-xr-x 0/0 4 1970-01-01 00:00 b/run.sh',
      'drwxr-xr-x 0/0 0 1970-01-01 00:00 empty/',
    ]);
    const out = join(root, 'out');
    await mkdir(out);
    execFileSync('tar', ['-xz', '-C', out], { input: await packed('work', 'dist') });
    const names = await readdir(out, { recursive: true });
    expect(names).toContain(`${'long/'.repeat(40)}ünï 中.txt`);
  });

  it('makes the same bytes of the same files, wherever, whenever and however they were made', async () => {
    const make = async (work: string, names: string[]): Promise<void> => {
      for (const name of names) await put(`${work}/${name}`, name.repeat(10_000));
      await symlink('a', join(root, work, 'link'));
    };
    await make('one', ['a', 'b/c', 'b/d', 'é', 'B']);
    await make('two/deeper', ['B', 'é', 'b/d', 'b/c', 'a']);
    for (const name of ['a', 'b', 'b/c']) await utimes(join(root, 'two/deeper', name), 1e9, 1e9);
    await chmod(join(root, 'two/deeper/a'), 0o664);
    await put('two/deeper/.git/HEAD', 'other');
    const store = createFolderArtifactStore(join(root, 'store'));
    const stored = await store.put(await packArtifact(join(root, 'one')));
    expect(await store.put(await packArtifact(join(root, 'two/deeper')))).toEqual(stored);
    const bytes = await packed('one');
    expect(bytes.subarray(4, 8)).toEqual(Buffer.alloc(4));
    await put('one/a', 'changed');
    expect(await store.put(await packArtifact(join(root, 'one')))).not.toEqual(stored);
  });

  it('packs the checkout without .git when no path is said, and a file as one entry', async () => {
    await put('work/.git/config', 'secret');
    await put('work/sub/.git', 'kept');
    await put('work/app.js', 'code', 0o755);
    for (const path of ['', '.', './', undefined]) {
      const names = list(await packed('work', path)).map((line) => line.split(' ').at(-1));
      expect(names).toEqual(['app.js', 'sub/', 'sub/.git']);
    }
    expect(list(await packed('work', 'app.js'))).toEqual([
      '-rwxr-xr-x 0/0 4 1970-01-01 00:00 app.js',
    ]);
  });

  it('refuses paths outside of the checkout and names what is missing', async () => {
    await put('work/dist/a', 'x');
    await put('secret', 'x');
    await symlink('..', join(root, 'work/up'));
    await symlink('dist', join(root, 'work/current'));
    for (const path of ['..', '../secret', '/etc', 'dist/../../secret']) {
      expect(await refused('work', path)).toMatch(/outside of the checkout/);
    }
    expect(await refused('work', 'up/secret')).toMatch(/leads out of the checkout/);
    expect(await refused('work', 'build/out')).toBe(
      'artifact_path "build/out" does not exist in the checkout',
    );
    expect(await refused('work', 'dist/a/b')).toMatch(/does not exist/);
    expect(list(await packed('work', 'current'))).toHaveLength(1);
  });

  it.each([
    ['/etc/passwd', 'absolute'],
    ['../outside', 'above'],
    ['../dist/a', 'above and back, which depends on the name of the folder'],
    ['here/../../x', 'through a link that changes what .. means'],
    ['none/../../../x', 'through something that is not there'],
  ])('refuses a link of a package to %s (%s)', async (target) => {
    await put('work/dist/a', 'x');
    await symlink('.', join(root, 'work/dist/here'));
    await symlink(target, join(root, 'work/dist/link'));
    expect(await refused('work', 'dist')).toBe(
      `the artifact holds a symbolic link that leads out of it: link -> ${target}`,
    );
  });

  it('names the link that leads out of a package, not one that leads to it', async () => {
    await put('work/bin/run', 'x');
    await symlink('python3', join(root, 'work/bin/python'));
    await symlink('/usr/bin/python3', join(root, 'work/bin/python3'));
    expect(await refused('work')).toBe(
      'the artifact holds a symbolic link that leads out of it: bin/python3 -> /usr/bin/python3',
    );
  });

  it('keeps links that stay inside, dangling and circular ones included', async () => {
    await put('work/dist/sub/a', 'x');
    await symlink('a', join(root, 'work/dist/sub/same'));
    await symlink('../sub/./a', join(root, 'work/dist/sub/around'));
    await symlink('not/yet', join(root, 'work/dist/dangling'));
    await symlink('circle', join(root, 'work/dist/circle'));
    await symlink('sub', join(root, 'work/dist/folder'));
    await link(join(root, 'work/dist/sub/a'), join(root, 'work/dist/hard'));
    expect(list(await packed('work', 'dist')).filter((line) => line.startsWith('l'))).toHaveLength(
      5,
    );
  });

  describe('of a build', () => {
    const notes: string[] = [];
    const own = { checkout: '/floy/build', note: (text: string) => void notes.push(text) };
    const built = async (path = '') =>
      buffer(await packArtifact(join(root, 'work'), path, { own }));
    beforeEach(() => {
      notes.length = 0;
    });

    it('keeps links that lead out, and says so', async () => {
      await put('work/dist/a/b', 'x');
      await symlink('/usr/bin/python3', join(root, 'work/dist/python3'));
      await symlink('../../shared/uploads', join(root, 'work/dist/uploads'));
      await symlink('../b/../../x', join(root, 'work/dist/a/odd'));
      const links = list(await built('dist')).filter((line) => line.startsWith('l'));
      expect(links.map((line) => line.split(' 00:00 ')[1])).toEqual([
        'a/odd -> ../b/../../x',
        'python3 -> /usr/bin/python3',
        'uploads -> ../../shared/uploads',
      ]);
      expect(notes).toEqual([
        'python3 -> /usr/bin/python3 leads out of the artifact: hosts need what it points to',
        'uploads -> ../../shared/uploads leads out of the artifact: hosts need what it points to',
      ]);
    });

    it('makes links by the path of the checkout relative, since hosts have no such path', async () => {
      await put('work/dist/a/b/c', 'x');
      await symlink('/floy/build/dist/a/b/c', join(root, 'work/dist/a/b/same'));
      await symlink('/floy/build//dist/x', join(root, 'work/dist/a/up'));
      await symlink('/floy/build/dist', join(root, 'work/dist/all'));
      const links = list(await built('dist')).filter((line) => line.startsWith('l'));
      expect(links.map((line) => line.split(' 00:00 ')[1])).toEqual([
        'a/b/same -> ../../a/b/c',
        'a/up -> ../x',
        'all -> .',
      ]);
      expect(notes).toEqual([]);
    });

    it.each([
      ['/floy/home/.local/bin/tool', 'to what is only there while it is built'],
      ['/floy/build/other', 'to what is only there while it is built'],
      ['/floy/build/dist/../other', 'to what is only there while it is built'],
      ['../../.floy/env/current', 'into a .floy'],
      ['/srv/web/.floy', 'into a .floy'],
      ['up/.floy/env', 'into a .floy'],
    ])('refuses a link to %s', async (target, why) => {
      await put('work/dist/a', 'x');
      await symlink('../..', join(root, 'work/dist/up'));
      await symlink(target, join(root, 'work/dist/link'));
      const failure = await built('dist').catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(VerdictError);
      expect((failure as Error).message).toBe(
        `the artifact holds a symbolic link ${why}: link -> ${target}`,
      );
    });

    it('gives scripts of a Python environment a beginning that moves with them', async () => {
      const body = '# -*- coding: utf-8 -*-\nprint("ünï")\n';
      await put('work/venv/bin/hello', `#!/floy/build/venv/bin/python3.11 -I\n${body}`, 0o755);
      await put('work/bin/deep/tool', `#! /floy/build/venv/bin/python\n${body}`, 0o755);
      const kept = {
        'work/plain.txt': `#!/floy/build/venv/bin/python3\n${body}`,
        'work/system': `#!/usr/bin/python3\n${body}`,
        'work/binary': '\u007fELF',
      };
      for (const [name, text] of Object.entries(kept))
        await put(name, text, name.endsWith('.txt') ? 0o644 : 0o755);
      await put('work/node', '#!/floy/build/tools/node\n1\n', 0o755);
      const out = join(root, 'out');
      await mkdir(out);
      execFileSync('tar', ['-xz', '-C', out], { input: await built() });
      const begin = (way: string) =>
        `#!/bin/sh\n'''exec' "$(dirname -- "$(readlink -f -- "$0")")/${way} "$0" "$@"\n' '''\n`;
      expect(await readFile(join(out, 'venv/bin/hello'), 'utf8')).toBe(
        `${begin('python3.11" -I')}${body}`,
      );
      expect(await readFile(join(out, 'bin/deep/tool'), 'utf8')).toBe(
        `${begin('../../venv/bin/python"')}${body}`,
      );
      for (const [name, text] of Object.entries(kept))
        expect(await readFile(join(out, name.slice(5)), 'utf8')).toBe(text);
      expect(notes).toEqual(['node begins with #!/floy/build/tools/node, which hosts do not have']);
    });
  });

  it('refuses what is no file', async () => {
    await mkdir(join(root, 'work'));
    const server = createServer().listen(join(root, 'work/socket'));
    await waitFor('the socket', () => server.listening);
    expect(await refused('work')).toMatch(/socket, which is no file/);
    server.close();
  });

  it('stores nothing when it fails half way, and stops when nobody reads on', async () => {
    await put('work/a', 'x'.repeat(3_000_000));
    await symlink('/etc', join(root, 'work/z'));
    const store = createFolderArtifactStore(join(root, 'store'));
    await expect(store.put(await packArtifact(join(root, 'work')))).rejects.toThrow(VerdictError);
    expect(await readdir(join(root, 'store', 'incoming'))).toEqual([]);
    const stream = await packArtifact(join(root, 'work'));
    stream.destroy(new Error('cancelled'));
    await expect(buffer(stream)).rejects.toThrow('cancelled');
  });

  it('refuses an artifact that no reader would accept, before it is packed', async () => {
    await put('work/a', 'x'.repeat(1000));
    await put('work/b', 'x'.repeat(1000));
    const within = (limits: Omit<PackLimits, 'inFolder'>) => async () =>
      buffer(await packArtifact(join(root, 'work'), '', { limits: { ...limits, inFolder: 2 } }));
    await expect(within({ entries: 2, bytes: 2000 })()).resolves.toBeInstanceOf(Buffer);
    for (const limits of [
      { entries: 1, bytes: 2000 },
      { entries: 2, bytes: 1999 },
    ]) {
      await expect(within(limits)()).rejects.toThrow(VerdictError);
      await expect(within(limits)()).rejects.toThrow(/too large.*at b$/);
    }
  });

  it('is cancelled while it packs a file that takes for ever', async () => {
    await put('work/a', '');
    await truncate(join(root, 'work/a'), 15 * 1024 ** 3);
    const cancel = new AbortController();
    const reason = new Error('cancelled');
    const store = createFolderArtifactStore(join(root, 'store'));
    const stream = await packArtifact(join(root, 'work'), '', { signal: cancel.signal });
    const storing = store.put(stream);
    storing.catch(() => undefined);
    await waitFor('a part of the artifact', async () => {
      const [name = ''] = await readdir(join(root, 'store/incoming'));
      return (await stat(join(root, 'store/incoming', name))).size > 0;
    });
    cancel.abort(reason);
    await expect(storing).rejects.toBe(reason);
    expect(await readdir(join(root, 'store', 'incoming'))).toEqual([]);
    await expect(packArtifact(join(root, 'work'), '', { signal: cancel.signal })).rejects.toBe(
      reason,
    );
  });

  it('refuses a link of more parts than anybody follows', async () => {
    await mkdir(join(root, 'work'));
    await symlink('x/'.repeat(300), join(root, 'work/link'));
    expect(await refused('work')).toMatch(/symbolic link with more than 256 parts.*: link$/);
  });

  it('refuses a folder of more files than are sorted at once', async () => {
    for (const name of ['a', 'b', 'c']) await put(`work/many/${name}`, '');
    const limits = { entries: 9, bytes: 9, inFolder: 2 };
    await expect(
      (async () => buffer(await packArtifact(join(root, 'work'), '', { limits })))(),
    ).rejects.toThrow(
      new VerdictError('the artifact holds more than 2 entries in its folder many'),
    );
  });

  it('refuses folders nested beyond the longest path by the beginning of it', async () => {
    await mkdir(join(root, 'work'));
    const script = '$name = "a" x 100; for (1..50) { mkdir $name; chdir $name or die }';
    execFileSync('perl', ['-e', script], { cwd: join(root, 'work') });
    await takeBack(join(root, 'work'), { uid: 1, gid: 1 });
    expect(await refused('work')).toMatch(/^the artifact holds .*too long a path: [a/]{200}…$/);
    await removeTree(root);
  });

  it('refuses a file that Floy may not read by its name', async () => {
    expect(() => refuseUnreadable('d/f')(Object.assign(new Error(), { code: 'EACCES' }))).toThrow(
      new VerdictError('the artifact holds something that may not be read: d/f'),
    );
  });

  it('packs large files and many small ones', async () => {
    await put('work/large', 'x'.repeat(20_000_000));
    for (let n = 0; n < 500; n += 1) await put(`work/many/${n % 7}/${n}`, String(n));
    const tar = gunzipSync(await packed('work'));
    expect(tar.length).toBeGreaterThan(20_000_000);
    expect(list(await packed('work'))).toHaveLength(1 + 1 + 7 + 500);
  });
});
