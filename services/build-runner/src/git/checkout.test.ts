import { CouldNotTellError, VerdictError } from '@floy/domain';
import { startSshdFleet } from '@floy/local-servers/sshd';
import { needs, needsRoot, needsSshd } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { findPrograms } from '@floy/local-servers/find-program';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { lstat, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { handOver } from '../sandbox/folders.js';
import { createSandbox, type BuildSlot, type Sandbox } from '../sandbox/sandbox.js';
import { TEST_USERS } from '../sandbox/users.fixture.js';
import { checkout, type CheckoutOptions } from './checkout.js';
import { makeRepository, startGitServer, type GitServer } from './repository.fixture.js';

const [openssl] = findPrograms('openssl', '');
const describeHttps = await needs('openssl', openssl, 'install openssl');
const describeSsh = await needsSshd();
const describeAsRoot = await needsRoot();

const TOKEN = 'ghp_sentinel+/=token%41';
let root: string;
let sandbox: Sandbox;
let slot: BuildSlot;
let remote: Awaited<ReturnType<typeof makeRepository>>;
let commits: string[];
let count = 0;

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'floy-checkout-')));
  sandbox = await createSandbox({ users: TEST_USERS, unconfined: false });
  slot = await sandbox.openSlot();
  remote = await makeRepository(join(root, 'remote'));
  commits = [];
  for (const version of ['one', 'two', 'three']) {
    commits.push(await remote.commit({ 'version.txt': version, 'src/deep/file': 'x' }));
    remote.git('tag', '--annotate', '--message', version, `v-${version}`);
  }
});
afterAll(async () => {
  await slot.close();
  await rm(root, { recursive: true, force: true });
});

const run = async (options: Partial<CheckoutOptions>) => {
  const folder = join(root, `work-${(count += 1)}`);
  const { commit } = await checkout({
    sandbox,
    repository: remote.folder,
    commit: commits[2] ?? '',
    gitTag: '',
    knownHostsFile: join(root, 'known_hosts'),
    folder,
    user: slot.user,
    privateGit: true,
    timeoutSeconds: 20,
    ...options,
  });
  return { commit, folder };
};
const versionIn = (folder: string) => readFile(join(folder, 'version.txt'), 'utf8');

describe('checkout from a path', () => {
  it('brings the commit, not the branch, by whatever address', async () => {
    for (const repository of [remote.folder, `file://${remote.folder}`]) {
      const { commit, folder } = await run({ repository, commit: commits[0], gitTag: 'v-one' });
      expect([commit, await versionIn(folder)]).toEqual([commits[0], 'one']);
      expect(existsSync(join(folder, '.git', 'shallow'))).toBe(true);
      expect(await readFile(join(folder, '.git', 'refs', 'tags', 'v-one'), 'utf8')).toContain(
        commit,
      );
    }
  });

  it('resolves an abbreviated commit, by its tag or without one', async () => {
    const short = (commits[1] ?? '').slice(0, 8);
    for (const gitTag of ['v-two', '', 'v-three', 'no-such-tag']) {
      const { commit, folder } = await run({ commit: short.toUpperCase(), gitTag });
      expect([gitTag, commit, await versionIn(folder)]).toEqual([gitTag, commits[1], 'two']);
    }
  });

  it('takes digits for digits where a branch is called the same', async () => {
    const short = (commits[0] ?? '').slice(0, 7);
    remote.git('branch', short, commits[2] ?? '');
    expect((await run({ commit: short })).commit).toBe(commits[0]);
    remote.git('branch', '--delete', '--force', short);
  });

  it('finds a commit that no branch holds any more', async () => {
    remote.git('checkout', '--quiet', '--detach');
    const lost = await remote.commit({ 'version.txt': 'lost' });
    remote.git('checkout', '--quiet', 'main');
    expect(await versionIn((await run({ commit: lost })).folder)).toBe('lost');
  });

  it('says that a commit is not there', async () => {
    const none = 'deadbeef'.repeat(5);
    for (const commit of [none, none.slice(0, 10)]) {
      await expect(run({ commit })).rejects.toThrow(
        new VerdictError(`there is no commit ${commit} in ${remote.folder}`),
      );
    }
    const blob = remote.git('rev-parse', 'HEAD:version.txt');
    await expect(run({ commit: blob })).rejects.toThrow(VerdictError);
  });

  it('says that a repository is not there', async () => {
    for (const repository of [join(root, 'none'), `file://${root}/none`]) {
      await expect(run({ repository })).rejects.toThrow(VerdictError);
      await expect(run({ repository })).rejects.toThrow(/there is no git repository at .*none/);
    }
  });

  it('refuses what could be an option or a program', async () => {
    const canary = join(root, 'canary');
    for (const options of [
      { repository: `ext::touch ${canary}` },
      { repository: `--upload-pack=touch ${canary}` },
      { commit: `--upload-pack=touch ${canary}` },
      { gitTag: `--upload-pack=touch ${canary}` },
      { gitTag: `x:refs/heads/main` },
      { gitToken: 'a\nurl=https://evil' },
    ]) {
      await expect(run(options)).rejects.toThrow(VerdictError);
    }
    expect(existsSync(canary)).toBe(false);
  });

  it('runs nothing that the repository brings: hooks, filters, submodules', async () => {
    const canary = join(root, 'canary');
    const hostile = await makeRepository(join(root, 'hostile'));
    const commit = await hostile.commit({
      '.gitattributes': '* filter=lfs diff=lfs\n',
      '.gitmodules': `[submodule "s"]\n\tpath = s\n\turl = ext::touch ${canary}\n\tupdate = !touch ${canary}\n`,
      'big.bin': 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
      link: 'x',
    });
    const hook = `#!/bin/sh\ntouch ${canary}\n`;
    for (const name of ['post-checkout', 'post-update', 'pre-auto-gc', 'post-index-change']) {
      await writeFile(join(hostile.folder, '.git', 'hooks', name), hook, { mode: 0o755 });
    }
    const { folder } = await run({ repository: hostile.folder, commit });
    expect(await readFile(join(folder, 'big.bin'), 'utf8')).toContain('git-lfs');
    expect(existsSync(join(folder, '.git', 'hooks'))).toBe(false);
    expect(existsSync(canary)).toBe(false);
  });

  it('needs an empty folder, and stops when cancelled', async () => {
    await expect(run({ folder: remote.folder })).rejects.toThrow(/not empty/);
    const reason = new Error('cancelled');
    await expect(run({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describeAsRoot('checkout of what belongs to another user', () => {
  it('works, and makes files of the build user', async () => {
    const other = await makeRepository(join(root, 'other'));
    const commit = await other.commit({ file: 'x' });
    await handOver(other.folder, { uid: TEST_USERS.last, gid: TEST_USERS.last });
    const { folder } = await run({ repository: other.folder, commit: commit.slice(0, 12) });
    for (const name of ['file', '.git/HEAD']) {
      expect((await lstat(join(folder, name))).uid).toBe(slot.user?.uid);
    }
  });
});

describeHttps('checkout over https', () => {
  let server: GitServer;
  let env: Record<string, string>;
  beforeAll(async () => {
    server = await startGitServer(root, join(root, 'tls'), TOKEN);
    env = { GIT_SSL_CAINFO: server.certificate };
  });
  afterAll(() => server.close());
  const overHttps = (options: Partial<CheckoutOptions>) =>
    run({ repository: `${server.origin}/remote`, env, gitToken: TOKEN, ...options });

  it('authenticates by the token, which it writes nowhere', async () => {
    const { commit, folder } = await overHttps({ commit: commits[1]?.slice(0, 9) });
    expect([commit, await versionIn(folder)]).toEqual([commits[1], 'two']);
    const sent = Buffer.from(server.authorizations.at(-1)?.slice(6) ?? '', 'base64').toString();
    expect(sent).toBe(`x-access-token:${TOKEN}`);
    const names = await readdir(join(folder, '.git'), { recursive: true, withFileTypes: true });
    for (const entry of names.filter((each) => each.isFile())) {
      const text = await readFile(join(entry.parentPath, entry.name), 'latin1');
      expect(text).not.toContain('sentinel');
    }
  });

  it('uses the user that the address names', async () => {
    await overHttps({ repository: server.origin.replace('//', '//deploy-bot@') + '/remote' });
    const sent = Buffer.from(server.authorizations.at(-1)?.slice(6) ?? '', 'base64').toString();
    expect(sent).toBe(`deploy-bot:${TOKEN}`);
  });

  it('falls back to a whole fetch where no commit may be asked for by name', async () => {
    const old = await makeRepository(join(root, 'old'));
    const commit = await old.commit({ 'version.txt': 'old' });
    await old.commit({ 'version.txt': 'new' });
    const { folder } = await overHttps({ repository: `${server.origin}/old`, commit });
    expect(await versionIn(folder)).toBe('old');
    expect(existsSync(join(folder, '.git', 'shallow'))).toBe(false);
  });

  it('refuses with a verdict that shows no token, when it is wrong or missing', async () => {
    for (const gitToken of ['wrong-sentinel', undefined]) {
      const failed = await overHttps({ gitToken }).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(VerdictError);
      expect(String(failed)).toMatch(/refused access.*git_token/);
      expect(JSON.stringify(failed) + String(failed)).not.toContain('sentinel');
    }
  });

  it('tells what is not there, not trusted, or not reached', async () => {
    await expect(overHttps({ repository: `${server.origin}/none` })).rejects.toThrow(
      /there is no git repository/,
    );
    await expect(overHttps({ env: {} })).rejects.toThrow(/certificate .*not trusted/);
    const nobody = createServer().listen(0, '127.0.0.1');
    await waitFor('a port', () => nobody.listening);
    const { port } = nobody.address() as AddressInfo;
    await new Promise((resolve) => nobody.close(resolve));
    await expect(overHttps({ repository: `https://localhost:${port}/a` })).rejects.toThrow(
      CouldNotTellError,
    );
  });

  it('gives up on a server that does not answer, and at once when cancelled', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await waitFor('a port', () => silent.listening);
    const { port } = silent.address() as AddressInfo;
    const repository = `https://localhost:${port}/a`;
    await expect(overHttps({ repository, timeoutSeconds: 0.5 })).rejects.toThrow(CouldNotTellError);
    const cancel = new AbortController();
    silent.on('connection', () => cancel.abort(new Error('cancelled')));
    await expect(overHttps({ repository, signal: cancel.signal })).rejects.toThrow('cancelled');
    silent.close();
  });

  it('shows the token in no command line while it works', async () => {
    const seen: string[] = [];
    const silent = createServer(() => {
      void look();
    }).listen(0, '127.0.0.1');
    const cancel = new AbortController();
    const look = async (): Promise<void> => {
      for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
        seen.push(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
      }
      cancel.abort(new Error('looked'));
    };
    await waitFor('a port', () => silent.listening);
    const { port } = silent.address() as AddressInfo;
    const repository = `https://localhost:${port}/a`;
    await expect(overHttps({ repository, signal: cancel.signal })).rejects.toThrow('looked');
    expect(seen.some((line) => line.includes(`localhost:${port}`))).toBe(true);
    expect(seen.filter((line) => line.includes('sentinel'))).toEqual([]);
    silent.close();
  });
});

describeSsh('checkout over ssh', () => {
  let fleet: Awaited<ReturnType<typeof startSshdFleet>>;
  let repository: string;
  beforeAll(async () => {
    fleet = await startSshdFleet({ folder: join(root, 'fleet'), hosts: 2 });
    const [host] = fleet.hosts;
    repository = `ssh://${fleet.user}@127.0.0.1:${host?.port}${remote.folder}`;
  });
  afterAll(() => fleet.stop());

  it('authenticates by the key, as text or in base64, and keeps the host key', async () => {
    const knownHostsFile = join(root, 'made', 'known hosts');
    for (const gitSshKey of [fleet.privateKey, Buffer.from(fleet.privateKey).toString('base64')]) {
      const { commit } = await run({ repository, gitSshKey, knownHostsFile });
      expect(commit).toBe(commits[2]);
    }
    expect((await readFile(knownHostsFile, 'utf8')).trim().split('\n')).toHaveLength(1);
  });

  it('refuses a host whose key has changed', async () => {
    const knownHostsFile = join(root, 'changed');
    await run({ repository, gitSshKey: fleet.privateKey, knownHostsFile });
    const [first, second] = fleet.hosts;
    const known = await readFile(knownHostsFile, 'utf8');
    await writeFile(knownHostsFile, known.replaceAll(`:${first?.port} `, `:${second?.port} `));
    const other = repository.replace(`:${first?.port}/`, `:${second?.port}/`);
    await expect(
      run({ repository: other, gitSshKey: fleet.privateKey, knownHostsFile }),
    ).rejects.toThrow(/host key .* is not the one it had/);
  });

  it('refuses with a verdict without a key, and with one that is none', async () => {
    await expect(run({ repository })).rejects.toThrow(/refused access.*git_ssh_key/);
    await expect(run({ repository, gitSshKey: 'nonsense' })).rejects.toThrow(/no private key/);
    const broken = fleet.privateKey.replace(/\n[A-Za-z0-9+/]{20}/, '\nAAAA');
    const failed = await run({ repository, gitSshKey: broken }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(VerdictError);
  });

  it('leaves no key behind', async () => {
    const mine = `floy-git-${process.pid}.`;
    expect((await readdir(tmpdir())).filter((name) => name.startsWith(mine))).toEqual([]);
  });
});
