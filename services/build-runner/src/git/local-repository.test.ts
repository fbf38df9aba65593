import { VerdictError } from '@floy/domain';
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import {
  appendFile,
  mkdir,
  mkdtemp,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSandbox, type BuildSlot, type Sandbox } from '../sandbox/sandbox.js';
import { TEST_USERS } from '../sandbox/users.fixture.js';
import { checkout } from './checkout.js';
import { findLocalRepository } from './local-repository.js';
import { makeRepository, type TestRepository } from './repository.fixture.js';

let root: string;
let sandbox: Sandbox;
let slot: BuildSlot;
/** Belongs to somebody else, and everybody on the machine may read it. */
let secret: TestRepository;
let secretCommit: string;
let count = 0;

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'floy-local-')));
  sandbox = await createSandbox({ users: TEST_USERS, unconfined: false });
  slot = await sandbox.openSlot();
  secret = await makeRepository(join(root, 'secret'));
  secretCommit = await secret.commit({ 'secret.txt': 'sentinel' });
});
afterAll(async () => {
  await slot.close();
  await rm(root, { recursive: true, force: true });
});

async function hostile(): Promise<TestRepository> {
  return makeRepository(join(root, `hostile-${(count += 1)}`));
}
const fetch = (repository: string, commit: string) =>
  checkout({
    ...{ sandbox, repository, commit, gitTag: '', user: slot.user, privateGit: true },
    knownHostsFile: join(root, 'known_hosts'),
    folder: join(root, `work-${(count += 1)}`),
    timeoutSeconds: 20,
  });

describe('a repository of this machine that leads to another one', () => {
  it.each([
    [
      'a .git file that names another repository',
      async ({ folder }: TestRepository) => {
        await rm(join(folder, '.git'), { recursive: true });
        await writeFile(join(folder, '.git'), `gitdir: ${secret.folder}/.git\n`);
      },
    ],
    [
      'a .git that is a link',
      async ({ folder }: TestRepository) => {
        await rm(join(folder, '.git'), { recursive: true });
        await symlink(join(secret.folder, '.git'), join(folder, '.git'));
      },
    ],
    [
      'alternates',
      ({ folder }: TestRepository) =>
        writeFile(join(folder, '.git/objects/info/alternates'), `${secret.folder}/.git/objects\n`),
    ],
    [
      'alternates that are a pipe, which holds whoever opens it for ever',
      async ({ folder }: TestRepository) =>
        void execFileSync('mkfifo', [join(folder, '.git/objects/info/alternates')]),
    ],
    [
      'a commondir, as worktrees have it',
      ({ folder }: TestRepository) =>
        writeFile(join(folder, '.git/commondir'), `${secret.folder}/.git\n`),
    ],
    [
      'objects that are a link',
      async ({ folder }: TestRepository) => {
        await rename(join(folder, '.git/objects'), join(folder, 'kept'));
        await symlink(join(secret.folder, '.git/objects'), join(folder, '.git/objects'));
      },
    ],
    [
      'one object folder that is a link',
      async ({ folder }: TestRepository) => {
        const name = secretCommit.slice(0, 2);
        await rm(join(folder, '.git/objects', name), { recursive: true, force: true });
        await symlink(
          join(secret.folder, '.git/objects', name),
          join(folder, '.git/objects', name),
        );
      },
    ],
    [
      'references that are a link',
      async ({ folder }: TestRepository) => {
        await rm(join(folder, '.git/refs/tags'), { recursive: true });
        await symlink(join(secret.folder, '.git/refs/heads'), join(folder, '.git/refs/tags'));
      },
    ],
  ])('ships nothing of it: %s', async (_name, make) => {
    const repository = await hostile();
    await repository.commit({ 'own.txt': 'own' });
    await make(repository);
    for (const address of [repository.folder, `file://${repository.folder}`]) {
      await expect(fetch(address, secretCommit)).rejects.toThrow(VerdictError);
      await expect(fetch(address, secretCommit)).rejects.toThrow(/reads nothing outside/);
    }
  });

  it('is not read either when it becomes one after it was looked at', async () => {
    const repository = await hostile();
    await repository.commit({ 'own.txt': 'own' });
    await findLocalRepository(repository.folder);
    await writeFile(
      join(repository.folder, '.git/objects/info/alternates'),
      `${secret.folder}/.git/objects\n`,
    );
    const build = join(root, `work-${(count += 1)}`);
    await mkdir(build, { mode: 0o777 });
    let output = '';
    const script =
      `id -u; git -C /floy/repository cat-file -p ${secretCommit}:secret.txt; ` +
      `cat ${secret.folder}/secret.txt; touch /floy/repository/new; ls /floy /srv /home`;
    await sandbox.runAlone({
      user: slot.user,
      folders: { build, repository: repository.folder },
      words: ['sh', '-c', script],
      env: { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: '*' },
      timeoutSeconds: 20,
      onOutput: (text) => void (output += text),
    });
    expect(output).toContain(`${slot.user?.uid ?? process.getuid?.()}\n`);
    expect(output).toMatch(/unable to normalize alternate/);
    expect(output).not.toContain('sentinel');
    expect(output).toMatch(/touch: .*Read-only file system/);
    expect(output).toMatch(/'\/srv': No such file/);
  });

  it('starts no program that its settings name, and follows no include', async () => {
    const repository = await hostile();
    const commit = await repository.commit({ 'own.txt': 'own' });
    const canary = join(root, 'canary');
    const program = join(repository.folder, 'evil');
    await writeFile(program, `#!/bin/sh\ntouch ${canary} /floy/build/canary\nexec "$@"\n`, {
      mode: 0o755,
    });
    await writeFile(join(root, 'included'), `[uploadpack]\n\tpackObjectsHook = ${program}\n`);
    await appendFile(
      join(repository.folder, '.git/config'),
      `[include]\n\tpath = ${join(root, 'included')}\n[core]\n\tfsmonitor = /floy/repository/evil\n` +
        `\tsshCommand = /floy/repository/evil\n\talternateRefsCommand = /floy/repository/evil\n` +
        `[uploadpack]\n\tpackObjectsHook = /floy/repository/evil\n` +
        `[extensions]\n\tpartialClone = evil\n[remote "evil"]\n\turl = ext::/floy/repository/evil\n` +
        `\tpromisor = true\n\tuploadpack = /floy/repository/evil\n`,
    );
    for (const name of ['post-checkout', 'reference-transaction', 'post-index-change']) {
      await writeFile(join(repository.folder, '.git/hooks', name), `#!/bin/sh\ntouch ${canary}\n`, {
        mode: 0o755,
      });
    }
    await expect(fetch(repository.folder, commit)).resolves.toMatchObject({ commit });
    expect(existsSync(canary)).toBe(false);
    expect(existsSync(join(root, `work-${count}`, 'own.txt'))).toBe(true);
    expect(existsSync(join(root, `work-${count}`, 'canary'))).toBe(false);
  });

  it('is found as git finds it: bare, with .git, by a name without .git', async () => {
    const repository = await hostile();
    const commit = await repository.commit({ 'own.txt': 'own' });
    const bare = join(root, `bare-${count}.git`);
    repository.git('clone', '--quiet', '--bare', '--no-local', '.', bare);
    for (const address of [
      bare,
      bare.slice(0, -4),
      repository.folder,
      `${repository.folder}/.git`,
    ]) {
      await expect(fetch(address, commit)).resolves.toMatchObject({ commit });
    }
  });
});
