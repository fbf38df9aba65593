import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { needsRoot } from '@floy/testing/needs';
import { defaultHome } from './default-home.js';
import { postgresBinaries } from './postgres-binaries.js';
import { firstClosedFolder, openFolder, serverUser } from './server-user.js';

const describeRoot = await needsRoot();
const stranger = { name: 'stranger', uid: 64_123, gid: 64_123 };
let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'floy-user-')));
  await chmod(folder, 0o711);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the user servers run as', () => {
  it('is never root and never nobody', async () => {
    const user = await serverUser();
    if (process.getuid?.() === 0) {
      expect(user?.uid).toBeGreaterThan(0);
      expect(user?.name).not.toBe('nobody');
    } else expect(user).toBeUndefined();
  });

  it('finds the first folder that a user may not pass', async () => {
    await mkdir(join(folder, 'closed/open'), { recursive: true });
    await chmod(join(folder, 'closed'), 0o700);
    expect(await firstClosedFolder(stranger, join(folder, 'closed/open'))).toBe(
      join(folder, 'closed'),
    );
    expect(await firstClosedFolder(stranger, folder)).toBeUndefined();
    expect(await firstClosedFolder(undefined, join(folder, 'closed'))).toBeUndefined();
    await expect(openFolder(join(folder, 'closed/open'), stranger)).rejects.toThrow('FLOY_HOME');
  });
});

describe('the programs of Postgres', () => {
  async function installation(): Promise<string> {
    const native = join(folder, 'package/native');
    await mkdir(join(native, 'bin'), { recursive: true });
    await mkdir(join(native, 'lib'));
    await writeFile(join(native, 'bin/postgres'), 'program', { mode: 0o755 });
    await writeFile(join(native, 'lib/libx.so.5.1'), 'library');
    await writeFile(join(folder, 'package/package.json'), '{"version":"1.2.3"}');
    await writeFile(
      join(native, 'pg-symlinks.json'),
      '[{"source":"native/lib/libx.so.5.1","target":"native/lib/libx.so.5"}]',
    );
    return native;
  }

  it('are used where they are, with the links that a blocked install script left out', async () => {
    const native = await installation();
    const binaries = await postgresBinaries(folder, stranger, native);
    expect(binaries.postgres).toBe(join(native, 'bin/postgres'));
    expect(await readFile(join(native, 'lib/libx.so.5'), 'utf8')).toBe('library');
  });

  it('are copied once to where their user can reach them', async () => {
    const native = await installation();
    await chmod(join(folder, 'package'), 0o700);
    const target = join(folder, 'data');
    await mkdir(target, { mode: 0o711 });
    const { postgres } = await postgresBinaries(target, stranger, native);
    expect(postgres).toBe(join(target, 'binaries-1.2.3/native/bin/postgres'));
    expect(await firstClosedFolder(stranger, postgres)).toBeUndefined();
    expect(await readFile(join(postgres, '../../lib/libx.so.5'), 'utf8')).toBe('library');
    await rm(native, { recursive: true });
    expect((await postgresBinaries(target, stranger, native)).postgres).toBe(postgres);
  });
});

describeRoot('the default data folder of root', () => {
  it('is in the clone where Postgres can reach it, else below /var/lib/floy', async () => {
    const clone = join(folder, 'clone');
    await mkdir(clone);
    expect(await defaultHome(clone)).toBe(join(clone, '.floy'));
    await chmod(folder, 0o700);
    expect(await defaultHome(clone)).toMatch(/^\/var\/lib\/floy\/clone-[0-9a-f]{8}$/);
  });
});
