import { needsRoot } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { userInfo } from 'node:os';
import { checkBuildUsers, parseBuildUsers } from './build-user.js';
import { createSandbox } from './sandbox.js';
import { claimUser } from './user-claims.js';

const describeAsRoot = await needsRoot();

describe('FLOY_BUILD_USERS', () => {
  it('is a range of numbers', () => {
    expect(parseBuildUsers('20000-20015')).toEqual({ first: 20000, last: 20015 });
    for (const text of [
      '',
      'nobody',
      '0-5',
      '65534',
      '2000-1999',
      '1000-4294967295',
      '1000- 2000',
    ]) {
      expect(() => parseBuildUsers(text)).toThrow(/FLOY_BUILD_USERS: .*two numbers/);
    }
  });

  it('names nobody whom the machine knows', async () => {
    await expect(checkBuildUsers({ first: 2_120_010_000, last: 2_120_010_001 })).resolves.toBe(
      undefined,
    );
    // `nobody` has one of these on every machine.
    await expect(checkBuildUsers({ first: 65_000, last: 65_534 })).rejects.toThrow(
      /\/etc\/(passwd|group) gives 6553\d to no/,
    );
    const own = userInfo().uid;
    await expect(checkBuildUsers({ first: own, last: own })).rejects.toThrow('/etc/passwd gives');
  });
});

describeAsRoot('a build user', () => {
  // Apart from those of other tests, and few enough to run out.
  const range = { first: 2_130_000_000, last: 2_130_000_002 };

  it('is nobody else’s, also where two runners of a machine have the same range', async () => {
    const claimed = await Promise.all([claimUser(range), claimUser(range), claimUser(range)]);
    expect(claimed.map(({ uid }) => uid).toSorted((a, b) => a - b)).toEqual([
      range.first,
      range.first + 1,
      range.last,
    ]);
    await expect(claimUser(range)).rejects.toThrow(/all users of FLOY_BUILD_USERS are in use/);
    await claimed[1]?.release();
    const again = await claimUser(range);
    expect(again.uid).toBe(claimed[1]?.uid);
    for (const each of [claimed[0], claimed[2], again]) await each?.release();
  });

  it('is not taken while something runs as it', async () => {
    const one = { first: 2_130_000_010, last: 2_130_000_010 };
    const stray = spawn('sleep', ['6501'], { uid: one.first, gid: one.first });
    await once(stray, 'spawn');
    await expect(claimUser(one)).rejects.toThrow(/in use/);
    stray.kill('SIGKILL');
    await waitFor('the user to be free', async () =>
      claimUser(one).then(
        ({ release }) => release().then(() => true),
        () => false,
      ),
    );
  });

  it('that outlived a killed runner is ended by the next one, and one in use is not', async () => {
    const users = { first: 2_130_000_020, last: 2_130_000_022 };
    const start = async (uid: number) => {
      const child = spawn('sleep', ['6502'], { uid, gid: uid });
      await once(child, 'spawn');
      return child;
    };
    const claimed = await claimUser({ first: users.last, last: users.last });
    const [stray, building] = [await start(users.first + 1), await start(users.last)];
    const exited = once(stray, 'exit');
    await createSandbox({ users, unconfined: true });
    expect(await exited).toEqual([null, 'SIGKILL']);
    expect(building.exitCode ?? building.signalCode).toBeNull();
    building.kill('SIGKILL');
    await claimed.release();
  });
});
