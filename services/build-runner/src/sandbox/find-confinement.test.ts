import { describe, expect, it } from '@jest/globals';
import { CouldNotTellError } from '@floy/domain';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findConfinement } from './find-confinement.js';
import { removeTree } from './folders.js';
import { createSandbox } from './sandbox.js';
import { TEST_USERS } from './users.fixture.js';

describe('a machine that cannot keep builds apart', () => {
  it('is told as such, with what is missing', async () => {
    for (const root of [true, false]) {
      const found = await findConfinement({
        users: TEST_USERS,
        root,
        attempt: () => Promise.reject(new CouldNotTellError('unshare failed: not permitted')),
      });
      expect(found.confinement).toBe('supervisor');
      expect(found.missing).toMatch(
        process.platform === 'linux'
          ? /(CAP_SYS_ADMIN|namespaces).*unshare failed.*FLOY_BUILD_UNCONFINED=yes/
          : /only Linux/,
      );
    }
  });

  it('runs no build, unless it was told to', async () => {
    const build = await mkdtemp(join(tmpdir(), 'floy-unconfined-'));
    const told: string[] = [];
    const warn = (message: string): void => void told.push(message);
    for (const unconfined of [false, true]) {
      const sandbox = await createSandbox({
        users: TEST_USERS,
        unconfined,
        only: 'supervisor',
        warn,
      });
      const ran = sandbox.runCommand({
        ...{ user: undefined, folders: { build }, command: 'true', timeoutSeconds: 10 },
      });
      if (unconfined) await expect(ran).resolves.toMatchObject({ exitCode: 0 });
      else await expect(ran).rejects.toThrow(/this runner takes no builds/);
    }
    expect(told).toEqual([
      expect.stringMatching(/^this runner takes no builds/),
      expect.stringMatching(/^builds are not kept apart/),
    ]);
    await removeTree(build);
  });
});
