import { VerdictError } from '@floy/domain';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSandbox, type BuildSlot, type Sandbox } from '../sandbox/sandbox.js';
import { TEST_USERS } from '../sandbox/users.fixture.js';
import { checkout } from './checkout.js';
import { makeRepository, type TestRepository } from './repository.fixture.js';

let root: string;
let sandbox: Sandbox;
let slot: BuildSlot;
let repository: TestRepository;
let count = 0;
beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'floy-bomb-')));
  sandbox = await createSandbox({ users: TEST_USERS, unconfined: false });
  slot = await sandbox.openSlot();
  repository = await makeRepository(join(root, 'repository'));
});
afterAll(async () => {
  await slot.close();
  await rm(root, { recursive: true, force: true });
});

function checkOut(commit: string, folder: string, mostEntries?: number) {
  return checkout({
    ...{ sandbox, repository: repository.folder, commit, gitTag: '', user: slot.user },
    ...{ privateGit: true, knownHostsFile: join(root, 'known_hosts'), folder },
    ...{ timeoutSeconds: 60, ...(mostEntries && { mostEntries }) },
  });
}

/** A commit of one blob, or of none, in folders of ten entries each, so many levels deep. */
function bomb(levels: number, text?: string): string {
  const git = (words: string[], input: string): string =>
    execFileSync('git', words, { cwd: repository.folder, input, encoding: 'utf8' }).trim();
  let kind = '040000 tree';
  let name = git(['mktree'], '');
  if (text !== undefined) {
    kind = '100644 blob';
    name = git(['hash-object', '-w', '--stdin'], text);
  }
  for (let level = 0; level < levels; level += 1) {
    const lines = Array.from({ length: 10 }, (_, n) => `${kind} ${name}\td${n}\n`);
    name = git(['mktree'], lines.join(''));
    kind = '040000 tree';
  }
  return repository.git('commit-tree', name, '-m', 'bomb');
}

it.each([
  ['files', () => bomb(8, 'x')],
  ['folders without a file', () => bomb(8)],
])(
  'a repository of some kilobytes that becomes a hundred million %s fills nothing',
  async (_, make) => {
    const commit = make();
    repository.git('update-ref', 'refs/heads/main', commit);
    const folder = join(root, `work-${(count += 1)}`);
    const refused = checkOut(commit, folder);
    await expect(refused).rejects.toThrow(VerdictError);
    await expect(refused).rejects.toThrow('the commit is too large to be checked out');
    expect(await readdir(folder)).toEqual(['.git']);
  },
);

it('a commit of as many files and folders as are allowed is checked out', async () => {
  const commit = bomb(2, 'x');
  repository.git('update-ref', 'refs/heads/main', commit);
  const folder = join(root, `work-${(count += 1)}`);
  await checkOut(commit, folder, 110);
  expect(await readdir(join(folder, 'd9'))).toHaveLength(10);
});
