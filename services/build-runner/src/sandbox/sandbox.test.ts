import { CouldNotTellError, VerdictError } from '@floy/domain';
import { needsRoot } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitVerdict } from './exit-verdict.js';
import { handOver, removeTree, takeBack } from './folders.js';
import { createSandbox, type BuildRunOptions, type BuildSlot, type Sandbox } from './sandbox.js';
import { TEST_USERS } from './users.fixture.js';

const describeAsRoot = await needsRoot();

const KINDS = ['root', 'supervisor'] as const;

describeAsRoot.each(KINDS)('a command confined by %s', (kind) => {
  const confined = kind === 'root';
  const only = confined ? {} : ({ only: kind } as const);
  const create = () => createSandbox({ users: TEST_USERS, unconfined: !confined, ...only });
  let folder: string;
  /** The folder as commands see it. */
  let place: string;
  let sandbox: Sandbox;
  let slot: BuildSlot;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'floy-sandbox-'));
    sandbox = await create();
    expect(sandbox.confinement).toBe(kind);
    slot = await sandbox.openSlot();
    await handOver(folder, slot.user);
    place = sandbox.seen({ build: folder }).build;
  });
  afterAll(async () => {
    await slot.close();
    await removeTree(folder);
  });

  const run = async (command: string, options: Partial<BuildRunOptions> = {}) => {
    let output = '';
    const onOutput = (text: string): void => void (output += text);
    const exit = await sandbox.runCommand({
      command,
      user: slot.user,
      folders: { build: folder },
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
    const { output } = await run('id -u; pwd; id -G; env | sort; ls -A "$HOME" "$TMPDIR"; umask', {
      env: { GIVEN: `a 'b' "c" $d\n ünï 中`, LD_LIBRARY_PATH: '/x', HOME: '/root' },
    });
    const home = /HOME=(.*)\n/.exec(output)?.[1] ?? '';
    const temporary = confined ? '/tmp' : home.replace(/home$/, 'tmp');
    expect(home).toMatch(confined ? /^\/floy\/home$/ : /^\/tmp\/floy-run-[^/]+\/[\w-]{22}\/home$/);
    expect(output.split('\n')).toEqual([
      String(slot.user?.uid),
      place,
      String(slot.user?.gid),
      ' ünï 中',
      'CI=true',
      `GIVEN=a 'b' "c" $d`,
      `HOME=${home}`,
      'LANG=C.UTF-8',
      'LD_LIBRARY_PATH=/x',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      `PWD=${place}`,
      `TMPDIR=${temporary}`,
      `${home}:`,
      '',
      `${temporary}:`,
      '0022',
      '',
    ]);
    expect(existsSync(home)).toBe(false);
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

  it('ends although its output is in the hands of a service that writes on for ever', async () => {
    let exited: Promise<unknown> | undefined;
    let output = '';
    const hold = async (): Promise<void> => {
      const [pid = ''] = await waitFor('the command', async () => {
        const found = await processesOf('6205');
        return found.length > 0 && found;
      });
      // In the place of SCM_RIGHTS over an abstract socket: pidfd_open and pidfd_getfd.
      const take = `my $fd = syscall(438, syscall(434, ${pid}, 0), 1, 0); open(my $it, ">&=", $fd) or die;
        $| = 1; print "held\\n"; while (1) { syswrite($it, "later\\n"); select(undef, undef, undef, 0.01) }`;
      const holder = spawn('perl', ['-e', take], { stdio: ['ignore', 'pipe', 'inherit'] });
      exited = once(holder, 'exit');
      await once(holder.stdout, 'data');
      await writeFile(join(folder, 'held'), '');
    };
    const running = run('echo up; sleep 6205 & until [ -e held ]; do sleep 0.05; done', {
      timeoutSeconds: 8,
      onOutput: async (text) => {
        output += text;
        if (!exited) await hold();
      },
    });
    await expect(running).resolves.toMatchObject({ exitCode: 0 });
    const length = output.length;
    // Nobody is left to read what it holds, so that writing ends it.
    await exited;
    expect(output).toHaveLength(length);
    expect(length).toBeLessThan(20_000);
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
    const folders = { build: join(folder, 'none') };
    await expect(run('true', { folders })).rejects.toThrow(CouldNotTellError);
    await expect(run('true', { folders })).rejects.toThrow(/could not be started.*none/);
    await expect(run('true', { env: { 'A B': '' } })).rejects.toThrow(/"A B" cannot be the name/);
    await expect(run('true', { env: { A: 'x\0' } })).rejects.toThrow(/NUL/);
    await expect(
      sandbox.runCommand({
        ...{ user: slot.user, folders: { build: folder }, timeoutSeconds: 1 },
        ...{ command: 'true', shell: '/bin/none' },
      }),
    ).rejects.toThrow(new VerdictError('the shell /bin/none is not installed where builds run'));
  });

  it('cannot read what belongs to Floy', async () => {
    const secret = join(folder, 'of-root');
    await writeFile(secret, 'x', { mode: 0o600 });
    const { output, exitCode } = await run('cat of-root');
    expect(await readFile(secret, 'utf8')).toBe('x');
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
    await run(`sh -c 'echo up; until [ -e looked ]; do sleep 0.05; done'`, {
      env: { GIVEN: folder, LD_PRELOAD: '/none.so' },
      onOutput: look,
    });
    expect(owners).toContain(slot.user?.uid);
    expect(owners).not.toContain(0);
  });

  it('cannot change what was taken back, not even from inside', async () => {
    const own = await mkdtemp(join(tmpdir(), 'floy-taken-'));
    const checkout = join(own, 'checkout');
    await chmod(own, 0o755);
    await mkdir(checkout);
    await handOver(checkout, slot.user);
    const command = [
      'mkdir -p dist/d && chmod 777 dist && echo built >dist/d/file && mkfifo go && cd dist && echo up',
      'read x <../go; mv d away || echo held; ln -s /etc new || echo held',
    ];
    let output = '';
    const running = run(command.join('; '), {
      folders: { build: checkout },
      onOutput: async (text) => {
        output += text;
        if (text !== 'up\n') return;
        await takeBack(checkout, slot.user);
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
    const alive = `(setsid sh -c "(trap '' HUP TERM; sleep 6204) &" &) ; setsid nohup sleep 6204 & echo up; sleep 6204`;
    const runner = spawn(
      process.execPath,
      ['--conditions=floy:src', fixture, confined ? 'any' : kind, folder, alive],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    runner.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await waitFor('the command to run', async () => {
      return output.includes('up') && (await processesOf('6204')).length >= 3;
    });
    runner.kill('SIGKILL');
    await waitFor('the end of all', async () => (await processesOf('6204')).length === 0, {
      timeoutMs: 3000,
    });
    expect(runner.signalCode).toBe('SIGKILL');
    await create();
    const left = (await readdir(tmpdir())).filter((name) => name.includes(`-${runner.pid}.`));
    expect(left).toEqual([]);
    // Nothing stays mounted, and this machine has what it had.
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toMatch(/floy/);
  });
});

describe('exit verdict', () => {
  it.each([
    [{ exitCode: 1, signal: null }, 'test_command ended with exit code 1'],
    [{ exitCode: 137, signal: 'SIGKILL' as const }, /killed .*ran out of memory/],
    [{ exitCode: 143, signal: 'SIGTERM' as const }, /ended by SIGTERM/],
    [
      { exitCode: 127, signal: null },
      /not installed .*a checkout of their own, without what the build made .*home folders/,
    ],
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
    const sandbox = await createSandbox({ users: TEST_USERS, unconfined: true });
    const { user, close } = await sandbox.openSlot();
    await handOver(folder, user);
    const command = 'mkdir -p a/b && echo x >a/b/c && chmod 0 a/b && chmod 555 a';
    await sandbox.runCommand({ user, folders: { build: folder }, command, timeoutSeconds: 10 });
    await close();
    expect((await stat(join(folder, 'a'))).uid).toBe(user?.uid ?? process.getuid?.());
    await removeTree(folder);
    expect(existsSync(folder)).toBe(false);
  });
});
