import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { lockHome } from './home-lock.js';
import { poll } from './poll.js';

let home: string;
beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'floy-lock-')));
});
afterEach(() => rm(home, { recursive: true, force: true }));

describe('the lock on a data folder', () => {
  it('refuses a second holder, naming the first, and frees the folder when released', async () => {
    const lock = await lockHome(home);
    await expect(lockHome(home)).rejects.toThrow(`process ${process.pid}`);
    await expect(lockHome(join(home, '..', home.split('/').at(-1) ?? ''))).rejects.toThrow(
      'Another Floy',
    );
    await lock.release();
    await (await lockHome(home)).release();
  });

  it('makes the folder, closed to others', async () => {
    const below = join(home, 'a/b');
    await (await lockHome(below)).release();
    expect((await stat(below)).mode & 0o066).toBe(0);
  });

  it('leaves a folder in use as it is, and refuses one that everybody may write to', async () => {
    await writeFile(join(home, 'notes'), '');
    await chmod(home, 0o755);
    await (await lockHome(home)).release();
    expect((await stat(home)).mode & 0o777).toBe(0o755);
    await chmod(home, 0o1777);
    await expect(lockHome(home)).rejects.toThrow(`Everybody may write to the data folder ${home}`);
    expect((await stat(home)).mode & 0o7777).toBe(0o1777);
  });

  (process.platform === 'linux' ? it : it.skip)('is free once its holder was killed', async () => {
    const name = createHash('sha256').update(home).digest('hex').slice(0, 32);
    const holder = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen('\\0floy-home-${name}', () => console.log('held'))`,
    ]);
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    await expect(lockHome(home)).rejects.toThrow('Another Floy');
    holder.kill('SIGKILL');
    const lock = await poll(5000, () => lockHome(home).catch(() => undefined));
    expect(lock).toBeDefined();
    await lock?.release();
  });
});
