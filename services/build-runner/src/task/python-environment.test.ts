import { resolveBuildSettings } from '@floy/contracts';
import { findPrograms } from '@floy/local-servers/find-program';
import { createFolderArtifactStore } from '@floy/service-kit/artifact-store';
import { checkArchive } from '@floy/service-kit/check-archive';
import { needs } from '@floy/testing/needs';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readlink, realpath, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { makeRepository } from '../git/repository.fixture.js';
import { DEFAULT_PATH } from '../sandbox/default-path.js';
import { createSandbox } from '../sandbox/sandbox.js';
import { TEST_USERS } from '../sandbox/users.fixture.js';
import type { TaskRun } from './build.js';
import { runBuild } from './run-build.js';
import { makeWorkspace } from './workspace.js';

const [python] = findPrograms('python3', DEFAULT_PATH).filter((program) => {
  try {
    execFileSync(program, ['-c', 'import venv, ensurepip'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});
const describePython = await needs('python', python, 'install python3 and python3-venv');

/** Makes a wheel whose console script prints where its environment lies, and its arguments. */
const WHEEL = `
import zipfile
files = {
    'hello.py': 'import sys\\n\\ndef main():\\n    print(sys.prefix, *sys.argv[1:])\\n',
    'hello-1.0.dist-info/METADATA': 'Metadata-Version: 2.1\\nName: hello\\nVersion: 1.0\\n',
    'hello-1.0.dist-info/WHEEL':
        'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n',
    'hello-1.0.dist-info/entry_points.txt': '[console_scripts]\\nhello = hello:main\\n',
}
record = ''.join(f'{name},,\\n' for name in files) + 'hello-1.0.dist-info/RECORD,,\\n'
with zipfile.ZipFile('hello-1.0-py3-none-any.whl', 'w') as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
    wheel.writestr('hello-1.0.dist-info/RECORD', record)
`;
const INSTALL = 'venv/bin/pip install --quiet --no-index ./hello-1.0-py3-none-any.whl';

describePython('a Python service with a venv', () => {
  let root: string;
  beforeEach(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'floy-venv-')));
    // Git of the build user gets there.
    await chmod(root, 0o755);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  /** Builds a commit that can make the wheel, and answers the artifact and what was logged. */
  async function build(command: string, only?: 'supervisor') {
    const repository = await makeRepository(join(root, 'remote'));
    const commit = await repository.commit({ 'wheel.py': WHEEL });
    const artifacts = createFolderArtifactStore(join(root, 'artifacts'));
    const sandbox = await createSandbox({
      users: TEST_USERS,
      unconfined: true,
      ...(only ? { only } : {}),
    });
    const workspace = await makeWorkspace(sandbox);
    let printed = '';
    try {
      const run = {
        deps: {
          ...{ artifacts, sandbox, privateGit: true, packageRules: { hosts: new Set() } },
          knownHostsFile: join(root, 'known_hosts'),
        },
        context: {
          task: { inputs: 'key', timeout_seconds: 120 },
          version: { git_commit: commit, git_tag: '' },
          repository: repository.folder,
          settings: resolveBuildSettings({}, { build_command: command }),
          ...{ applicationName: 'hello', values: {}, environment: {}, secrets: [] },
        },
        workspace,
        signal: new AbortController().signal,
        log: (text: string) => void (printed += text),
        redact: (text: string) => text,
      } as unknown as TaskRun;
      const { kept } = await runBuild(run);
      const { stream } = await artifacts.open(kept.artifact_sha256 ?? '');
      return { archive: await buffer(stream()), stream, printed };
    } finally {
      await workspace.remove();
    }
  }
  const start = (program: string) =>
    execFileSync(program, ['one', 'two words'], {
      cwd: '/',
      env: { PATH: DEFAULT_PATH },
      encoding: 'utf8',
    });

  it.each([
    ['at the path of every build', undefined],
    ['at a path of its own', 'supervisor' as const],
  ])(
    'built %s: its console script starts on a host, wherever it lies',
    async (_, only) => {
      const { archive, stream, printed } = await build(
        `python3 wheel.py && python3 -m venv venv && ${INSTALL}`,
        only,
      );
      await checkArchive(stream(), { linksOut: true });
      expect(printed).toMatch(
        /^Note: venv\/bin\/python3? -> \/.*python3.* leads out of the artifact/m,
      );

      const release = join(root, 'srv/releases/v1');
      await mkdir(release, { recursive: true });
      execFileSync('tar', ['-xzof', '-', '-C', release], { input: archive });
      const current = join(root, 'srv/current');
      await symlink('releases/v1', current);
      expect(start(join(current, 'venv/bin/hello'))).toBe(`${release}/venv one two words\n`);
      const link = join(root, 'a link');
      await symlink(join(current, 'venv/bin/hello'), link);
      expect(start(link)).toBe(`${release}/venv one two words\n`);

      const moved = join(root, 'srv/releases/v 2');
      await rename(release, moved);
      expect(start(join(moved, 'venv/bin/hello'))).toBe(`${moved}/venv one two words\n`);
      const pip = execFileSync(join(moved, 'venv/bin/pip'), ['--version'], { encoding: 'utf8' });
      expect(pip).toContain(`${moved}/venv/`);
      expect(await readlink(join(moved, 'venv/bin/python3'))).toMatch(/^\/|^python/);
    },
    120_000,
  );

  it('whose Python is in a folder that is gone after the build is told how to make one', async () => {
    const failed = await build(
      'mkdir -p venv/bin && cp "$(readlink -f "$(command -v python3)")" "$HOME/python3" && ' +
        'ln -s "$HOME/python3" venv/bin/python3 && ln -s python3 venv/bin/python',
    ).catch((error: unknown) => error);
    expect((failed as Error).message).toMatch(
      /only there while it is built: venv\/bin\/python3 -> \/.*\/python3; make .*--copies venv/,
    );
  });
});
