import { needsRoot } from '@floy/testing/needs';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BuildUser } from './build-user.js';
import { TEST_USERS } from './users.fixture.js';
import { handOver, removeTree, takeBack } from './folders.js';

const describeAsRoot = await needsRoot();

/** Puts a link to another folder in the place of a folder, and back, until it cannot any more. */
const SWAP =
  'echo up; while mv d kept && mv link d && mv d link && mv kept d; do :; done 2>/dev/null';

describeAsRoot('a folder while a process of the build user exchanges things in it', () => {
  let own: string;
  // Claimed by nobody, so not of the range: a runner that starts would end its processes.
  const user: BuildUser = { uid: TEST_USERS.last + 1, gid: TEST_USERS.last + 1 };
  let swapping: ChildProcess;
  const elsewhere = (path: string): string => join(own, 'elsewhere', path);
  const expectUntouched = async (): Promise<void> => {
    const { mode, uid } = await stat(elsewhere('d'));
    expect([mode & 0o777, uid]).toEqual([0o777, user.uid]);
    expect(existsSync(elsewhere('d/file'))).toBe(true);
  };

  beforeEach(async () => {
    own = await mkdtemp(join(tmpdir(), 'floy-folders-'));
    await chmod(own, 0o755);
    for (const folder of ['elsewhere/d', 'source/dist/d/d']) {
      await mkdir(join(own, folder), { recursive: true });
      await writeFile(join(own, folder, 'file'), folder);
      await handOver(join(own, folder), user);
    }
    await chmod(elsewhere('d'), 0o777);
    await handOver(join(own, 'source'), user);
    const become = `setpriv --reuid ${user.uid} --regid ${user.gid} --clear-groups`;
    swapping = spawn('sh', ['-c', `ln -s ${elsewhere('')} link; exec ${become} sh -c '${SWAP}'`], {
      cwd: join(own, 'source/dist'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (swapping.stdout) await once(swapping.stdout, 'data');
  });
  afterEach(async () => {
    swapping.kill('SIGKILL');
    await removeTree(own);
  });

  it.each([1, 2, 3])('can be taken back, and nothing else is touched (%i)', async () => {
    const ended = once(swapping, 'exit');
    await takeBack(join(own, 'source'), user);
    await ended;
    await expectUntouched();
  });

  it.each([1, 2, 3])('can be removed, and nothing else is (%i)', async () => {
    await removeTree(join(own, 'source'));
    expect(existsSync(join(own, 'source'))).toBe(false);
    await expectUntouched();
  });
});
