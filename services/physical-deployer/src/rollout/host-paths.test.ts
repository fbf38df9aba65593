import { letNobodyWrite } from '@floy/testing/access-list';
import { VerdictError } from '@floy/domain';
import { needsRoot, needsSshd } from '@floy/testing/needs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { failure, type HostFixture, startHostFixture, textOf } from '../../testing/host-fixture.js';
import { pruneHost } from './prune-host.js';
import { stageHost } from './stage-host.js';
import { switchHost } from './switch-host.js';

const describeWithSshd = await needsSshd();
const describeHere = (await needsRoot()) === describe ? describeWithSshd : describe.skip;
/** The user that applications run as; it owns nothing else. */
const APP = 65534;

describeHere('an application that puts links where root writes', () => {
  let fixture: HostFixture;
  let deployPath: string;
  let outside: string;
  let attacker: ChildProcess | undefined;
  const place = (...names: string[]): string => join(deployPath, ...names);
  beforeAll(async () => {
    fixture = await startHostFixture({ hosts: 1 });
    // Its user finds the way to what belongs to it.
    await chmod(fixture.folder, 0o755);
  });
  beforeEach(async () => {
    deployPath = fixture.deployPath();
    outside = join(fixture.folder, `outside-${Math.random()}`);
    await mkdir(outside);
    await release({ settings: { sharedPaths: ['logs'] } });
    await chown(place('shared'), APP, APP);
    await chown(place('shared', 'logs'), APP, APP);
  });
  afterEach(async () => {
    if (attacker !== undefined) {
      const gone = once(attacker, 'exit');
      attacker.kill('SIGKILL');
      attacker = undefined;
      await gone;
    }
    // Whatever was tried, nothing was ever written elsewhere.
    expect(await readdir(outside)).toEqual([]);
  });
  afterAll(() => fixture.stop());

  /** Brings one more release to the place. */
  const release = async (changes: Parameters<HostFixture['release']>[1]): Promise<string> => {
    const made = await fixture.release(deployPath, changes);
    const work = fixture.work();
    await stageHost(fixture.hosts, work, made);
    await switchHost(fixture.hosts, work, made, { runPreSwitch: false });
    return made.releaseDir;
  };
  const refused = async (changes: Parameters<HostFixture['release']>[1]): Promise<string> => {
    const before = await readdir(place('releases'));
    const error = await failure(release(changes));
    expect(error).toBeInstanceOf(VerdictError);
    expect(await readdir(place('releases'))).toEqual(before);
    return error.message;
  };
  const sharing = (...sharedPaths: string[]) => ({
    files: { 'app.txt': 'v2', 'logs/a/b/seed': 'from the release', 'logs/seed': 'too' },
    settings: { sharedPaths },
  });

  it.each([
    ['a shared folder', ['logs'], 'logs'],
    ['a part of the way to one', ['logs/a'], 'logs'],
    ['a part in the middle', ['logs/a/b'], 'logs/a'],
    ['the shared path itself', ['logs/a/b'], 'logs/a/b'],
  ])('for %s has its release refused', async (_, paths, replaced) => {
    await rm(place('shared', 'logs'), { recursive: true });
    await mkdir(join(place('shared'), replaced, '..'), { recursive: true });
    await symlink(outside, place('shared', replaced));
    const name = replaced.split('/').at(-1);
    expect(await refused(sharing(...paths))).toContain(`${name} is a link, and Floy follows none`);
    expect(await readlink(place('shared', replaced))).toBe(outside);
  });

  it('that lead nowhere yet has its release refused', async () => {
    await rm(place('shared', 'logs'), { recursive: true });
    await symlink(join(outside, 'made'), place('shared', 'logs'));
    expect(await refused(sharing('logs'))).toContain('is a link');
    expect(await refused(sharing('logs/a'))).toContain('is a link');
  });

  it('and takes them away again a thousand times a second writes nothing elsewhere', async () => {
    await chown(outside, APP, APP);
    // Each of the parts is now a folder of its own, now a link, now nothing.
    const script = `echo ready; n=0; while n=$((n + 1)); do
      mv logs gone$n; ln -s "$OUTSIDE" logs; rm -f logs; mkdir -p logs/a; mv logs/a logs/gone
      ln -s "$OUTSIDE" logs/a; rm -f logs/a; mkdir logs/a; ln -s "$OUTSIDE" logs/a/b; done`;
    attacker = spawn('sh', ['-c', script], {
      cwd: place('shared'),
      env: { ...process.env, OUTSIDE: outside },
      uid: APP,
      gid: APP,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(attacker.stdout!, 'data');
    const outcomes: string[] = [];
    for (let turn = 0; turn < 10; turn += 1) {
      const made = await fixture.release(deployPath, sharing('logs/a/b', 'new/logs'));
      const work = fixture.work({ retryCount: 0 });
      const outcome = stageHost(fixture.hosts, work, made).then(
        () => 'staged',
        (error: Error) => error.message,
      );
      outcomes.push(await outcome);
      expect(await readdir(outside)).toEqual([]);
    }
    expect(outcomes.filter((outcome) => outcome !== 'staged').join('\n')).toContain('shared_paths');
  });

  it('in the place of the folder that root unpacks in has nothing of root overwritten or moved', async () => {
    // Root's own, as `/etc` is.
    const victim = join(fixture.folder, `victim-${Math.random()}`);
    await mkdir(join(victim, 'etc/data'), { recursive: true });
    await writeFile(join(victim, 'etc/data/important'), 'of root');
    const script = `const fs = require('fs'); let n = 0; console.log('ready');
      for (;;) for (const name of fs.readdirSync('.')) if (name.startsWith('.floy-')) try {
        if (fs.lstatSync(name).isSymbolicLink()) continue;
        fs.renameSync(name, '.moved-' + n++); fs.symlinkSync(process.argv[1], name);
      } catch {}`;
    await mkdir(place('shared', 'logs/data'));
    await chown(place('shared', 'logs/data'), APP, APP);
    attacker = spawn(process.execPath, ['-e', script, join(victim, 'etc')], {
      cwd: place('shared', 'logs'),
      uid: APP,
      gid: APP,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(attacker.stdout!, 'data');
    for (let turn = 0; turn < 5; turn += 1) {
      await rm(place('shared', 'logs/data'), { recursive: true, force: true });
      const made = await fixture.release(deployPath, {
        files: { 'app.txt': 'v2', 'logs/data/seed': 'of the release' },
        settings: { sharedPaths: ['logs/data'] },
      });
      await stageHost(fixture.hosts, fixture.work({ retryCount: 0 }), made).catch(() => undefined);
      expect(await readdir(victim, { recursive: true })).toEqual([
        'etc',
        'etc/data',
        'etc/data/important',
      ]);
    }
  });

  it.each(['releases', '.floy'])('or owned %s once has its next release refused', async (name) => {
    await rename(place(name), join(fixture.folder, `moved-${Math.random()}`));
    await symlink(outside, place(name));
    const error = await failure(release(sharing('logs')));
    expect(error).toBeInstanceOf(VerdictError);
    expect(error.message).toContain(`${place(name)} is a link or a file, and not a folder`);
    const work = fixture.work();
    await expect(pruneHost(fixture.hosts, work, deployPath, [])).rejects.toThrow('is a link');
  });

  it.each<[string, (path: string) => Promise<void>, string]>([
    ['belongs to it', (path) => chown(path, APP, APP), 'belongs to the user 65534'],
    ['can be written by another user by an access list', letNobodyWrite, 'by its access list'],
    ['can be written by everybody', (path) => chmod(path, 0o777), 'by everybody'],
    ['has the sticky bit and everybody in it', (path) => chmod(path, 0o1777), 'by everybody'],
    [
      'can be written by its group',
      async (path) => {
        await chown(path, 0, APP);
        await chmod(path, 0o775);
      },
      'by its group',
    ],
  ])('is kept out where the place, its releases or .floy %s', async (_, open, reason) => {
    for (const name of ['.', 'releases', '.floy']) {
      const { mode, uid, gid } = await lstat(place(name));
      await open(place(name));
      const said = await refused(sharing('logs'));
      expect(said).toContain(
        name === '.floy' && reason.startsWith('by its') ? 'by others' : reason,
      );
      await chown(place(name), uid, gid);
      await chmod(place(name), mode & 0o7777);
    }
    await release(sharing('logs'));
  });

  it('cannot have the release bring one that leads out of its shared folder', async () => {
    await symlink('/etc', place('shared', 'logs', 'out'));
    const dir = await release(sharing('logs/new', 'logs/deep/er'));
    expect(await readlink(place('releases', dir, 'logs', 'new'))).toBe(place('shared/logs/new'));
    expect((await lstat(place('shared/logs/deep/er'))).isDirectory()).toBe(true);
    expect(await readdir('/etc')).not.toContain('new');
  });

  it('cannot have the release bring links by which root writes outside of it', async () => {
    await chmod(outside, 0o750);
    const links = { app: 'app.txt', data: outside, up: '../../shared', bin: '/usr/bin' };
    const files = { 'app.txt': 'v2' };
    for (const path of ['data/new', 'data/a/b', 'up/new']) {
      const settings = { sharedPaths: [path] };
      expect(await refused({ files, links, settings })).toMatch(/is a link, and Floy follows none/);
    }
    const dir = await release({ files, links, settings: { sharedPaths: ['data'] } });
    expect(await readlink(place('releases', dir, 'data'))).toBe(place('shared/data'));
    expect((await lstat(place('shared/data'))).isDirectory()).toBe(true);
    expect(await readlink(place('releases', dir, 'bin'))).toBe('/usr/bin');
    expect((await lstat(outside)).mode & 0o7777).toBe(0o750);
    const kept = await release({ files });
    await pruneHost(fixture.hosts, fixture.work(), deployPath, [kept]);
    expect(await readdir(place('releases'))).toEqual([kept]);
  });

  it('loses nothing of what it has shared, and starts with what the release brings', async () => {
    await writeFile(place('shared', 'logs', 'kept'), 'kept');
    const files = { 'config/app.ini': 'a=1', 'data/x/seed': 'seed' };
    const settings = { sharedPaths: ['logs', 'config/app.ini', 'data/x', '-dash'] };
    const dir = await release({ files, settings });
    expect(await textOf(place('releases', dir, 'logs/kept'))).toBe('kept');
    expect(await textOf(place('shared/config/app.ini'))).toBe('a=1');
    expect(await textOf(place('shared/data/x/seed'))).toBe('seed');
    expect(await readlink(place('releases', dir, '-dash'))).toBe(place('shared/-dash'));
    expect((await readdir(place('shared'))).filter((name) => name.startsWith('.floy'))).toEqual([]);
  });
});
