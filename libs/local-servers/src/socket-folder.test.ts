import { spawnSync } from 'node:child_process';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  rmdir,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { needsRoot } from '@floy/testing/needs';
import { openSocketFolder } from './socket-folder.js';

const nobody = 65_534;
const describeAsRoot = await needsRoot();

let folder: string;
let away: string[];
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'floy-sock-')));
  away = [];
});
afterEach(async () => {
  for (const path of [folder, ...away]) await rm(path, { recursive: true, force: true });
});

/** A folder whose path is longer than a socket's may be. */
async function deepFolder(): Promise<string> {
  const deep = join(folder, 'd'.repeat(120));
  await mkdir(deep);
  return deep;
}

describe('the folder of a socket', () => {
  it('is closed, in its server’s folder', async () => {
    const { path, leave } = await openSocketFolder(folder, 'x.sock', undefined);
    expect(path).toBe(join(folder, 'socket'));
    expect((await lstat(path)).mode & 0o777).toBe(0o700);
    await leave();
    expect((await lstat(path)).isDirectory()).toBe(true);
  });

  it('is a short one elsewhere for a long path, the same until it is left', async () => {
    const deep = await deepFolder();
    const first = await openSocketFolder(deep, 'x.sock', undefined);
    away.push(first.path);
    expect(Buffer.byteLength(join(first.path, 'x.sock'))).toBeLessThan(100);
    expect((await lstat(first.path)).mode & 0o777).toBe(0o700);
    expect((await openSocketFolder(deep, 'x.sock', undefined)).path).toBe(first.path);
    await first.leave();
    const second = await openSocketFolder(deep, 'x.sock', undefined);
    away.push(second.path);
    expect(second.path).not.toBe(first.path);
  });

  it('is no link that leads elsewhere', async () => {
    await mkdir(join(folder, 'elsewhere'));
    await symlink(join(folder, 'elsewhere'), join(folder, 'socket'));
    await expect(openSocketFolder(folder, 'x.sock', undefined)).rejects.toThrow('is none of ours');
  });

  it('is refused below a folder in which everybody could exchange it', async () => {
    await chmod(folder, 0o777);
    await expect(openSocketFolder(folder, 'x.sock', undefined)).rejects.toThrow(
      `everybody may write to ${folder}`,
    );
  });
});

describeAsRoot('another user of the machine', () => {
  it('who has planted the folder of a socket is refused by name', async () => {
    const planted = join(folder, 'socket');
    await mkdir(planted);
    await chown(planted, nobody, nobody);
    await expect(openSocketFolder(folder, 'x.sock', undefined)).rejects.toThrow(
      `${planted} is none of ours: another user has put it in the place of our sockets`,
    );
  });

  it('who takes a short folder that was tidied away gets no server in it', async () => {
    const deep = await deepFolder();
    const first = await openSocketFolder(deep, 'x.sock', undefined);
    await rmdir(first.path);
    // In /tmp, where everybody may make folders.
    const taken = first.path.replace('/run/', '/tmp/');
    await writeFile(join(deep, 'socket-folder'), taken);
    away.push(taken);
    const made = spawnSync('mkdir', ['-m', '777', taken], { uid: nobody, gid: nobody });
    expect(made.status).toBe(0);
    const next = await openSocketFolder(deep, 'x.sock', undefined);
    away.push(next.path);
    expect(next.path).not.toBe(taken);
    expect((await readFile(join(deep, 'socket-folder'), 'utf8')).trim()).toBe(next.path);
  });

  it('cannot enter it, even where the socket itself is open', async () => {
    await chmod(folder, 0o711);
    const { path } = await openSocketFolder(folder, 'x.sock', undefined);
    await writeFile(join(path, 'x.sock'), '', { mode: 0o666 });
    const look = spawnSync('cat', [join(path, 'x.sock')], { uid: nobody, gid: nobody });
    expect(look.stderr.toString('utf8')).toContain('Permission denied');
    expect(dirname(path)).toBe(folder);
  });
});
