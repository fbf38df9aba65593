import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmod,
  chown,
  lchown,
  mkdir,
  mkdtemp,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { letNobodyWrite } from '@floy/testing/access-list';
import { needsRoot } from '@floy/testing/needs';
import { lockHome } from './home-lock.js';
import { poll } from './poll.js';

const nobody = 65_534;
const built = fileURLToPath(new URL('../dist/home-lock.js', import.meta.url));

let home: string;
const started: ChildProcess[] = [];
beforeEach(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'floy-lock-')));
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  await rm(home, { recursive: true, force: true });
});

/** Another process that tries to take the folder: answers `held`, or why it could not. */
async function tryElsewhere(): Promise<{ process: ChildProcess; said: string }> {
  const script = `import { lockHome } from ${JSON.stringify(built)};
    setInterval(() => undefined, 1000);
    await lockHome(${JSON.stringify(home)}).then(() => console.log('held'), console.log);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
  started.push(child);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { process: child, said: said.toString('utf8').trim() };
}

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
    await expect(lockHome(home)).rejects.toThrow(`everybody may write to ${home}`);
    expect((await stat(home)).mode & 0o7777).toBe(0o1777);
  });

  it('refuses a folder that another user may write to by an access list', async () => {
    await letNobodyWrite(home);
    await expect(lockHome(home)).rejects.toThrow(`others may write to ${home} by its access list`);
    await chmod(home, 0o700);
    await (await lockHome(home)).release();
  });

  it('refuses a folder below one that everybody may write to', async () => {
    const below = join(home, 'open/floy');
    await mkdir(below, { recursive: true });
    await chmod(join(home, 'open'), 0o777);
    await expect(lockHome(below)).rejects.toThrow(`everybody may write to ${join(home, 'open')}`);
    // As in /tmp: there nobody moves what is another's.
    await chmod(join(home, 'open'), 0o1777);
    await (await lockHome(below)).release();
  });

  it('has one winner of two starts at once, and is free once that one was killed', async () => {
    const both = await Promise.all([tryElsewhere(), tryElsewhere()]);
    const winner = both.find(({ said }) => said === 'held');
    const loser = both.find(({ said }) => said !== 'held');
    expect(loser?.said).toContain(`Another Floy (process ${winner?.process.pid}) is running`);
    await expect(lockHome(home)).rejects.toThrow('Another Floy');
    winner?.process.kill('SIGKILL');
    const lock = await poll(5000, () => lockHome(home).catch(() => undefined));
    expect(lock).toBeDefined();
    await lock?.release();
  }, 20_000);

  it('does not go on to a child of its holder', async () => {
    const lock = await lockHome(home);
    const child = spawn('sleep', ['600']);
    started.push(child);
    await once(child, 'spawn');
    await lock.release();
    await (await lockHome(home)).release();
  });

  it('is no link, which would lock or overwrite a file elsewhere', async () => {
    await writeFile(join(home, 'elsewhere'), 'kept', { mode: 0o600 });
    await symlink(join(home, 'elsewhere'), join(home, 'lock'));
    await expect(lockHome(home)).rejects.toThrow('ELOOP');
    await rename(join(home, 'elsewhere'), join(home, 'lock'));
    await (await lockHome(home)).release();
  });
});

const describeAsRoot = await needsRoot();

describeAsRoot('another user of the machine', () => {
  const asNobody = { uid: nobody, gid: nobody };

  it('cannot keep Floy from its folder by taking a name', async () => {
    const name = createHash('sha256').update(home).digest('hex').slice(0, 32);
    const script = `require('net').createServer().listen('\\0floy-home-${name}', () => console.log('taken'))`;
    const thief = spawn(process.execPath, ['-e', script], { ...asNobody, cwd: '/' });
    started.push(thief);
    await once(thief.stdout, 'data');
    await (await lockHome(home)).release();
  });

  it('cannot take the lock, nor a lock that is open to others', async () => {
    await (await lockHome(home)).release();
    const file = join(home, 'lock');
    const take = () => spawnSync('flock', ['-x', '-n', file, 'true'], asNobody).status;
    expect(take()).not.toBe(0);
    await chmod(file, 0o644);
    expect(take()).toBe(0);
    await expect(lockHome(home)).rejects.toThrow(`Others could hold the lock ${file}`);
  });

  it('cannot lead Floy from the folder that was looked at to another one, by a link', async () => {
    const theirs = join(home, 'theirs');
    await mkdir(join(home, 'of-root'));
    await mkdir(theirs);
    // A link of their own in a folder where everybody may make some, as /tmp is.
    await chmod(home, 0o1777);
    const link = join(home, 'floy');
    await symlink(join(home, 'of-root'), link);
    await lchown(link, nobody, nobody);
    await expect(lockHome(link)).rejects.toThrow(`the link ${link} belongs to another user`);
    await expect(lockHome(join(link, 'new'))).rejects.toThrow('belongs to another user');
    expect(await readdir(join(home, 'of-root'))).toEqual([]);
    // A link of ours that leads to theirs, and one of ours in a folder of theirs.
    await symlink(link, join(home, 'ours'));
    await expect(lockHome(join(home, 'ours'))).rejects.toThrow(`the link ${link} belongs`);
    await symlink(join(home, 'of-root'), join(theirs, 'floy'));
    await chown(theirs, nobody, nobody);
    await expect(lockHome(join(theirs, 'floy'))).rejects.toThrow(`${theirs} belongs to another`);
    // What was looked at is what is used.
    await lchown(link, 0, 0);
    const lock = await lockHome(link);
    expect(lock.folder).toBe(join(home, 'of-root'));
    await lock.release();
  });

  it('cannot lead Floy to a folder of theirs by exchanging it for a link while it is looked at', async () => {
    const [name, other] = [join(home, 'floy'), join(home, 'other')];
    await mkdir(join(home, 'of-root'));
    await chmod(home, 0o1777);
    await mkdir(name);
    await chown(name, nobody, nobody);
    await symlink(join(home, 'of-root'), other);
    await lchown(other, nobody, nobody);
    // RENAME_EXCHANGE, which Node does not have.
    const renameat2 = process.arch === 'arm64' ? 276 : 316;
    const script = `$| = 1; print "begun\n"; my ($one, $other) = @ARGV;
      while (1) { syscall(${renameat2}, -100, $one, -100, $other, 2) }`;
    const thief = spawn('perl', ['-e', script, name, other], { ...asNobody, cwd: '/' });
    started.push(thief);
    await once(thief.stdout, 'data');
    const taken = new Set<string>();
    for (let tries = 0; tries < 1500; tries += 1) {
      const lock = await lockHome(name).catch(() => undefined);
      if (lock === undefined) continue;
      taken.add(lock.folder);
      await lock.release();
    }
    expect([...taken]).not.toContain(name);
  }, 30_000);

  it('cannot give Floy a folder, or one below its own', async () => {
    const given = join(home, 'given/floy');
    await mkdir(given, { recursive: true });
    await chown(join(home, 'given'), nobody, nobody);
    await expect(lockHome(given)).rejects.toThrow(
      `${join(home, 'given')} belongs to another user (${nobody})`,
    );
  });
});
