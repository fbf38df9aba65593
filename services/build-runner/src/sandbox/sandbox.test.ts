import { CouldNotTellError, VerdictError } from '@floy/domain';
import { needsRoot } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBuildUser } from './build-user.js';
import { shortcomingOf, type ContainmentKind } from './containment.js';
import { exitVerdict } from './exit-verdict.js';
import { handOver, removeTree, takeBack } from './folders.js';
import { createSandbox, type RunOptions, type Sandbox } from './sandbox.js';

const describeAsRoot = await needsRoot();

describe('what this machine allows', () => {
  it('is found out, and a shortcoming is told', async () => {
    const told: string[] = [];
    const warn = (message: string): void => void told.push(message);
    const user = await findBuildUser('nobody');
    await createSandbox({ user, warn, only: 'supervisor' });
    expect(told).toEqual([expect.stringContaining('no PID namespace')]);
    const { containment } = await createSandbox({ user, warn });
    expect(told).toHaveLength(shortcomingOf(containment) === undefined ? 1 : 2);
    for (const floys of [undefined, { name: 'root', uid: 0, gid: 0 }]) {
      told.length = 0;
      await createSandbox({ user: floys, warn });
      expect(told).toContainEqual(expect.stringContaining("builds run as Floy's own user"));
    }
  });
});

const KINDS: readonly ContainmentKind[] = ['pid-namespace', 'user-namespace', 'supervisor'];

describeAsRoot.each(KINDS)('a command in a %s', (kind) => {
  let folder: string;
  let sandbox: Sandbox;
  beforeAll(async () => {
    const user = await findBuildUser('nobody');
    folder = await mkdtemp(join(tmpdir(), 'floy-sandbox-'));
    await handOver(folder, user);
    sandbox = await createSandbox({ user, only: kind });
  });
  afterAll(() => removeTree(folder));

  const run = async (command: string, options: Partial<RunOptions> = {}) => {
    let output = '';
    const onOutput = (text: string): void => void (output += text);
    const exit = await sandbox.runCommand({
      command,
      cwd: folder,
      timeoutSeconds: 20,
      onOutput,
      ...options,
    });
    return { ...exit, output };
  };
  /** Ids, seen from here, of processes whose command line holds this text. */
  const processesOf = async (text: string): Promise<string[]> => {
    const found: string[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (words.split('\0').includes(text)) found.push(pid);
    }
    return found;
  };

  it('runs as the build user in its folder, with an environment that holds nothing of Floy', async () => {
    const { output } = await run('id -un; pwd; id -G; env | sort; ls -A "$HOME" "$TMPDIR"; umask', {
      env: { GIVEN: `a 'b' "c" $d\n ünï 中`, LD_LIBRARY_PATH: '/x', HOME: '/root' },
    });
    const scratch = /HOME=(.*)\/home\n/.exec(output)?.[1] ?? '';
    expect(scratch).toMatch(/^\/tmp\/floy-run-[^/]+\/[\w-]{22}$/);
    expect(output.split('\n')).toEqual([
      'nobody',
      folder,
      expect.stringMatching(/^\d+$/),
      ' ünï 中',
      'CI=true',
      `GIVEN=a 'b' "c" $d`,
      `HOME=${scratch}/home`,
      'LANG=C.UTF-8',
      'LD_LIBRARY_PATH=/x',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      `PWD=${folder}`,
      `TMPDIR=${scratch}/tmp`,
      `${scratch}/home:`,
      '',
      `${scratch}/tmp:`,
      '0022',
      '',
    ]);
    expect(existsSync(scratch)).toBe(false);
  });

  it('answers how it exits', async () => {
    expect(await run('echo out; echo err >&2')).toMatchObject({
      exitCode: 0,
      output: 'out\nerr\n',
    });
    expect(await run('false\necho not reached')).toMatchObject({ exitCode: 1, output: '' });
    expect(await run('exit 42')).toMatchObject({ exitCode: 42, signal: null });
    expect(await run('kill -9 $$')).toMatchObject({ exitCode: 137, signal: 'SIGKILL' });
    expect(await run('kill -SEGV $$')).toMatchObject({ exitCode: 139, signal: 'SIGSEGV' });
    expect((await run('no-such-program')).exitCode).toBe(127);
  });

  it('has limits, and says which was passed', async () => {
    await expect(
      run('while :; do echo x; sleep 0.1; done', { timeoutSeconds: 0.5, name: 'build_command' }),
    ).rejects.toThrow(new VerdictError('build_command ran longer than 0.5 s and was ended'));
    await expect(run('sleep 61', { inactivitySeconds: 0.3 })).rejects.toThrow(
      new VerdictError('the command printed nothing for 0.3 s and was ended'),
    );
  });

  it('cannot have processes without end, nor one file that fills the disk', async () => {
    const { output } = await run(
      "sed -n 's/^Max \\(file size\\|processes\\) *//p' /proc/self/limits",
    );
    expect(
      output
        .trim()
        .split('\n')
        .map((line) => line.split(/ +/).slice(0, 2)),
    ).toEqual([
      [String(16 * 1024 ** 3), String(16 * 1024 ** 3)],
      ['4096', '4096'],
    ]);
  });

  it('counts no silence while whoever takes the output is busy', async () => {
    let taken: () => void = () => undefined;
    const busy = new Promise<void>((resolve) => (taken = resolve));
    const running = run('echo x', { inactivitySeconds: 0.3, onOutput: () => busy });
    setTimeout(taken, 700);
    await expect(running).resolves.toMatchObject({ exitCode: 0 });
  });

  it('is killed within a second when cancelled, with all it started', async () => {
    const cancel = new AbortController();
    const reason = new Error('cancelled');
    const running = run('setsid sleep 6201 & (sleep 6201 &) ; trap "" TERM; echo up; sleep 6201', {
      signal: cancel.signal,
      onOutput: () => void setImmediate(() => cancel.abort(reason)),
    });
    let began = 0;
    cancel.signal.addEventListener('abort', () => (began = performance.now()));
    await expect(running).rejects.toBe(reason);
    expect(performance.now() - began).toBeLessThan(1000);
    expect(await processesOf('6201')).toEqual([]);
    await expect(run('true', { signal: cancel.signal })).rejects.toBe(reason);
  });

  it('leaves nothing behind when it ends by itself', async () => {
    const { exitCode } = await run('(setsid sleep 6202 >/dev/null 2>&1 &) ; setsid sleep 6202 & :');
    expect(exitCode).toBe(0);
    expect(await processesOf('6202')).toEqual([]);
  });

  it('ends with a failure of whoever takes the output', async () => {
    const onOutput = () => Promise.reject(new Error('the log is gone'));
    await expect(run('echo x; sleep 6203', { onOutput })).rejects.toThrow('the log is gone');
    expect(await processesOf('6203')).toEqual([]);
  });

  it('streams any amount without keeping it', async () => {
    let length = 0;
    const before = process.memoryUsage().rss;
    await run('yes output | head -c 80000000', {
      onOutput: (text) => void (length += text.length),
    });
    expect(length).toBe(80_000_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(70e6);
  });

  it('does not start where it cannot', async () => {
    await expect(run('true', { cwd: join(folder, 'none') })).rejects.toThrow(CouldNotTellError);
    await expect(run('true', { cwd: join(folder, 'none') })).rejects.toThrow(
      /could not be started.*none/,
    );
    await expect(run('true', { env: { 'A B': '' } })).rejects.toThrow(/"A B" cannot be the name/);
    await expect(run('true', { env: { A: 'x\0' } })).rejects.toThrow(/NUL/);
    await expect(
      sandbox.runCommand({ command: 'true', shell: '/bin/none', cwd: folder, timeoutSeconds: 1 }),
    ).rejects.toThrow(new VerdictError('the shell /bin/none is not installed where builds run'));
  });

  it('cannot read what belongs to Floy', async () => {
    const secret = join(folder, 'of-root');
    await writeFile(secret, 'x', { mode: 0o600 });
    const { output, exitCode } = await run(`cat ${secret}`);
    expect(exitCode).toBe(1);
    expect(output).toContain('Permission denied');
  });

  it('gives its environment to nothing that runs as root', async () => {
    const owners: number[] = [];
    const go = join(folder, 'looked');
    const look = async (text: string): Promise<void> => {
      if (!text.includes('up\n')) return;
      for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
        const env = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
        if (env.includes(`GIVEN=${folder}`)) owners.push((await stat(`/proc/${pid}`)).uid);
      }
      await writeFile(go, '');
    };
    // Ends only when somebody has looked.
    await run(`sh -c 'echo up; until [ -e ${go} ]; do sleep 0.05; done'`, {
      env: { GIVEN: folder, LD_PRELOAD: '/none.so' },
      onOutput: look,
    });
    expect(owners).toContain(sandbox.user?.uid);
    expect(owners).not.toContain(0);
  });

  it('cannot find the folders of other commands', async () => {
    const { output } = await run(
      'outer=$(dirname "$(dirname "$HOME")"); test -x "$outer"; ls "$outer" || echo hidden',
    );
    expect(output).toMatch(/Permission denied\nhidden\n$/);
  });

  it('cannot change what was taken back, not even from inside', async () => {
    const own = await mkdtemp(join(tmpdir(), 'floy-taken-'));
    const checkout = join(own, 'checkout');
    await chmod(own, 0o755);
    await mkdir(checkout);
    await handOver(checkout, sandbox.user);
    const command = [
      'mkdir -p dist/d && chmod 777 dist && echo built >dist/d/file && mkfifo go && cd dist && echo up',
      'read x <../go; mv d away || echo held; ln -s /etc new || echo held',
    ];
    let output = '';
    const running = run(command.join('; '), {
      cwd: checkout,
      onOutput: async (text) => {
        output += text;
        if (text !== 'up\n') return;
        await takeBack(checkout, sandbox.user);
        await writeFile(join(checkout, 'go'), 'x\n');
      },
    });
    await expect(running).resolves.toMatchObject({ exitCode: 0 });
    expect(output.match(/^held$/gm)).toHaveLength(2);
    expect(await readdir(join(checkout, 'dist/d'))).toEqual(['file']);
    await removeTree(own);
  });

  it('runs a program of Floy itself as Floy', async () => {
    let output = '';
    const { exitCode } = await sandbox.runProgram({
      words: ['sh', '-c', 'id -u; echo "$1"', 'sh', `it's "a" word`],
      cwd: folder,
      timeoutSeconds: 10,
      onOutput: (text) => void (output += text),
    });
    expect([exitCode, output]).toEqual([0, `0\nit's "a" word\n`]);
  });

  it('does not outlive a runner that is killed, double forks and own sessions included', async () => {
    const fixture = join(import.meta.dirname, 'runner.fixture.mjs');
    const alive = `(setsid sh -c "(trap '' HUP TERM; sleep 6204) &" &) ; setsid nohup sleep 6204 & echo up in $HOME; sleep 6204`;
    const runner = spawn(
      process.execPath,
      ['--conditions=floy:src', fixture, kind, 'nobody', folder, alive],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    runner.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await waitFor('the command to run', async () => {
      return output.includes('up in') && (await processesOf('6204')).length >= 3;
    });
    runner.kill('SIGKILL');
    await waitFor('the end of all', async () => (await processesOf('6204')).length === 0, {
      timeoutMs: 3000,
    });
    expect(runner.signalCode).toBe('SIGKILL');
    const left = /up in (.*)\/home/.exec(output)?.[1] ?? '';
    expect(existsSync(left)).toBe(true);
    await createSandbox({ user: sandbox.user, only: kind });
    expect(existsSync(left)).toBe(false);
  });
});

describe('exit verdict', () => {
  it.each([
    [{ exitCode: 1, signal: null }, 'test_command ended with exit code 1'],
    [{ exitCode: 137, signal: 'SIGKILL' as const }, /killed .*ran out of memory/],
    [{ exitCode: 143, signal: 'SIGTERM' as const }, /ended by SIGTERM/],
    [{ exitCode: 127, signal: null }, /not installed/],
    [{ exitCode: 126, signal: null }, /not executable/],
  ])('%j', (exit, message) => {
    expect(exitVerdict('test_command', exit)?.message).toMatch(message);
  });

  it('is none for success', () => {
    expect(exitVerdict('test_command', { exitCode: 0, signal: null })).toBeUndefined();
  });
});

describe('folders', () => {
  it('are removed whatever their modes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'floy-tree-'));
    const user = await findBuildUser('nobody');
    await handOver(folder, user);
    const sandbox = await createSandbox({ user });
    const command = 'mkdir -p a/b && echo x >a/b/c && chmod 0 a/b && chmod 555 a';
    await sandbox.runCommand({ command, cwd: folder, timeoutSeconds: 10 });
    expect((await stat(join(folder, 'a'))).uid).toBe(user?.uid ?? process.getuid?.());
    await removeTree(folder);
    expect(existsSync(folder)).toBe(false);
  });
});
