import { resolveBuildSettings } from '@floy/contracts';
import { createFolderArtifactStore } from '@floy/service-kit/artifact-store';
import { needsRoot } from '@floy/testing/needs';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtemp, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { makeRepository } from '../git/repository.fixture.js';
import { createSandbox, type Sandbox } from '../sandbox/sandbox.js';
import { TEST_USERS } from '../sandbox/users.fixture.js';
import type { TaskRun } from './build.js';
import { runBuild } from './run-build.js';
import { makeWorkspace, type Workspace } from './workspace.js';

const describeAsRoot = await needsRoot();

describeAsRoot('a build by another user', () => {
  let root: string;
  let sandbox: Sandbox;
  let workspace: Workspace;
  beforeEach(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'floy-build-')));
    sandbox = await createSandbox({ users: TEST_USERS, unconfined: false });
    workspace = await makeWorkspace(sandbox);
  });
  afterEach(async () => {
    await workspace.remove();
    await rm(root, { recursive: true, force: true });
  });

  /** Builds a commit with this file as `build_command` says. */
  async function build(command: string): Promise<{ sha256: string; printed: string }> {
    const repository = await makeRepository(join(root, 'remote'));
    const commit = await repository.commit({ 'app.txt': 'app' });
    let printed = '';
    const run = {
      deps: {
        artifacts: createFolderArtifactStore(join(root, 'artifacts')),
        sandbox,
        privateGit: true,
        packageRules: { hosts: new Set() },
        knownHostsFile: join(root, 'known_hosts'),
      },
      context: {
        task: { inputs: 'key', timeout_seconds: 20 },
        applicationName: 'app',
        version: { git_commit: commit, git_tag: '' },
        repository: repository.folder,
        settings: resolveBuildSettings({}, { build_command: command, artifact_path: 'dist' }),
        values: {},
        environment: {},
        secrets: [],
      },
      workspace,
      signal: new AbortController().signal,
      log: (text: string) => void (printed += text),
      redact: (text: string) => text,
    } as unknown as TaskRun;
    const { kept } = await runBuild(run);
    return { sha256: kept.artifact_sha256 ?? '', printed };
  }

  it('is packed out of folders that the build user cannot write to any more', async () => {
    const { sha256, printed } = await build(
      'id -un; mkdir -p dist/open && cp app.txt dist/open && chmod -R a+w dist',
    );
    expect(printed).toContain('floy-build\n');
    for (const folder of ['', 'dist', 'dist/open']) {
      const { uid, mode } = await stat(join(workspace.source, folder));
      expect([folder, uid, mode & 0o022]).toEqual([folder, 0, 0]);
    }
    const { stream } = await createFolderArtifactStore(join(root, 'artifacts')).open(sha256);
    const names = execFileSync('tar', ['-tz'], { input: await buffer(stream()), encoding: 'utf8' });
    expect(names).toBe('open/\nopen/app.txt\n');
  });

  it('sees the same path in every build, and nothing of others beside it', async () => {
    const { printed } = await build('mkdir dist; pwd; ls ..');
    expect(printed).toContain('\n/floy/build\nartifact\nbuild\nhome\n');
  });
});
