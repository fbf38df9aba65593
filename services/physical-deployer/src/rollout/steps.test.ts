import { CouldNotTellError, LeaseLostError, VerdictError } from '@floy/domain';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  failure,
  type HostFixture,
  livingInGroup,
  startHostFixture,
  textOf,
  until,
} from '../../testing/host-fixture.js';
import { stopSteps } from '../commands/stop-steps.js';
import { createHosts } from './hosts.js';
import { type HostRelease, type HostWork, lockOf } from './host-work.js';
import { runScript } from './run-script.js';
import { runStep } from './run-step.js';
import { stageHost } from './stage-host.js';
import { stopHost } from './stop-host.js';
import { switchHost } from './switch-host.js';

/** A restart that notes its start, waits to be let on, and notes its end. */
const SLOW_RESTART = `echo "begin $FLOY_VERSION" >>../../ledger
echo working
until [ -e ../../go ]; do sleep 0.02; done
echo "end $FLOY_VERSION" >>../../ledger`;

const describeHere = await needsSshd();
describeHere('steps on a host', () => {
  let fixture: HostFixture;
  beforeAll(async () => {
    fixture = await startHostFixture({ hosts: 1, config: ['MaxSessions 1'] });
  });
  afterAll(() => fixture.stop());

  const staged = async (
    restartCommand: string,
    settings: Partial<HostRelease['settings']> = {},
  ): Promise<{ deployPath: string; work: HostWork; release: HostRelease }> => {
    const deployPath = fixture.deployPath();
    const release = await fixture.release(deployPath, {
      settings: { restartCommand, ...settings },
    });
    const work = fixture.work();
    await stageHost(fixture.hosts, work, release);
    return { deployPath, work, release };
  };
  const ledgerHas = (deployPath: string, text: string): Promise<boolean> =>
    until(async () => (await textOf(deployPath, 'ledger')).includes(text));
  const beginOf = async (deployPath: string, name = 'switch'): Promise<{ group: number }> => {
    const line = await until(async () =>
      (await textOf(deployPath, '.floy', 'journal'))
        .split('\n')
        .findLast((one) => one.startsWith('begin') && one.includes(` ${name} `)),
    );
    return { group: Number(line.split(' ')[5]) };
  };
  const later = (work: HostWork, changes: Partial<HostWork> = {}): HostWork => ({
    ...work,
    epoch: work.epoch + 1n,
    ...changes,
  });

  it('a worker that takes over goes on watching instead of running again', async () => {
    const { deployPath, work, release } = await staged(SLOW_RESTART);
    const lost = new AbortController();
    const ended: string[] = [];
    const stepEnded: HostWork['stepEnded'] = (name, outcome) => ended.push(`${name} ${outcome}`);
    const losing = { ...work, signal: lost.signal, stepEnded };
    const first = failure(switchHost(fixture.hosts, losing, release, { runPreSwitch: true }));
    await ledgerHas(deployPath, 'begin');
    lost.abort(new LeaseLostError('taken over'));
    expect(await first).toBeInstanceOf(LeaseLostError);
    const lines: string[] = [];
    const others = createHosts();
    const taker = later(work, { log: (line) => lines.push(line), stepEnded });
    const second = switchHost(others, taker, release, { runPreSwitch: true });
    await until(() => lines.includes('working'));
    await writeFile(join(deployPath, 'go'), '');
    await second;
    others.close();
    expect(ended).toEqual(['switch lost', 'switch done']);
    expect(await textOf(deployPath, 'ledger')).toBe('begin v1\nend v1\n');
  });

  it('a connection that is cut in the middle of a step is made again', async () => {
    const { deployPath, work, release } = await staged(SLOW_RESTART);
    const lines: string[] = [];
    const switching = switchHost(
      fixture.hosts,
      { ...work, log: (line) => lines.push(line) },
      release,
      { runPreSwitch: true },
    );
    await until(() => lines.includes('working'));
    expect(await fixture.host().cutConnections()).toBeGreaterThan(0);
    await until(() => lines.some((line) => line.includes('trying again')));
    await writeFile(join(deployPath, 'go'), '');
    await switching;
    expect(await textOf(deployPath, 'ledger')).toBe('begin v1\nend v1\n');
    expect(lines.filter((line) => line === 'working')).toHaveLength(1);
  });

  it('a step that prints without end is followed no further, and seen to its end', async () => {
    const { deployPath, work, release } = await staged(
      `yes 0123456789 | head -c 110000000; echo begin >>../../ledger; until [ -e ../../go ]; do sleep 0.02; done; echo the end`,
    );
    const lines: string[] = [];
    const log = (line: string): number => lines.push(line);
    const switching = switchHost(fixture.hosts, { ...work, log }, release, { runPreSwitch: true });
    await ledgerHas(deployPath, 'begin');
    await until(() => lines.includes('switch prints much; only the end of it follows'));
    await writeFile(join(deployPath, 'go'), '');
    await switching;
    expect(lines.at(-2)).toBe('the end');
    expect(lines.join('\n').length).toBeLessThan(2_000_000);
    expect(await textOf(deployPath, '.floy', 'journal')).not.toContain(' 2 switch');
  });

  it('an end that nobody saw is looked for: what is healthy was done', async () => {
    const { deployPath, work, release } = await staged(SLOW_RESTART, {
      statusCommand: 'grep -q end ../../ledger',
    });
    const switching = switchHost(fixture.hosts, work, release, { runPreSwitch: true });
    await ledgerHas(deployPath, 'begin');
    await writeFile(join(deployPath, 'ledger'), 'begin v1\nend by hand\n');
    const { group } = await beginOf(deployPath);
    process.kill(-group, 'SIGKILL');
    await switching;
    expect(await textOf(deployPath, 'ledger')).toBe('begin v1\nend by hand\n');
    expect(await textOf(deployPath, '.floy', 'journal')).toMatch(/end \S+ 1 switch probed/);
  });

  it('an end that nobody saw is looked for: what is not healthy is done again', async () => {
    const { deployPath, work, release } = await staged(SLOW_RESTART, {
      statusCommand: 'grep -q end ../../ledger',
    });
    const switching = switchHost(fixture.hosts, work, release, { runPreSwitch: true });
    await ledgerHas(deployPath, 'begin');
    const { group } = await beginOf(deployPath);
    process.kill(-group, 'SIGKILL');
    await ledgerHas(deployPath, 'begin v1\nbegin v1\n');
    await writeFile(join(deployPath, 'go'), '');
    await switching;
    expect(await textOf(deployPath, 'ledger')).toBe('begin v1\nbegin v1\nend v1\n');
    const journal = await textOf(deployPath, '.floy', 'journal');
    expect(journal).toMatch(/end \S+ 2 switch 0 /);
    expect(journal).not.toMatch(/end \S+ 1 switch /);
  });

  it('a pre-switch whose end nobody saw is never repeated', async () => {
    const { deployPath, work, release } = await staged('echo restarted >>../../ledger', {
      preSwitchCommand: 'echo migrating >>../../ledger; sleep 1000',
    });
    const switching = failure(switchHost(fixture.hosts, work, release, { runPreSwitch: true }));
    await ledgerHas(deployPath, 'migrating');
    process.kill(-(await beginOf(deployPath, 'pre_switch')).group, 'SIGKILL');
    expect((await switching).message).toBe('pre_switch: its end could not be found out');
    const taker = later(work);
    const again = await failure(switchHost(fixture.hosts, taker, release, { runPreSwitch: true }));
    expect(again).toBeInstanceOf(CouldNotTellError);
    expect(await textOf(deployPath, 'ledger')).toBe('migrating\n');
  });

  it('an epoch that a loss of power has emptied is none, a damaged one is refused', async () => {
    const { deployPath, work } = await staged('true');
    const epoch = join(deployPath, '.floy', 'epoch');
    await writeFile(epoch, '');
    await stopHost(fixture.hosts, work, deployPath);
    expect(await textOf(epoch)).toBe(`${work.epoch}\n`);
    await writeFile(epoch, 'x\n');
    await expect(stopHost(fixture.hosts, work, deployPath)).rejects.toThrow('epoch is damaged');
  });

  it('an earlier worker is refused, and starts nothing', async () => {
    const { deployPath, work, release } = await staged('echo restarted >>../../ledger');
    await stopHost(fixture.hosts, later(work), deployPath);
    const error = await failure(switchHost(fixture.hosts, work, release, { runPreSwitch: true }));
    expect(error).toBeInstanceOf(LeaseLostError);
    expect(await textOf(deployPath, 'ledger')).toBe('');
    await expect(stopHost(fixture.hosts, work, deployPath)).rejects.toThrow(LeaseLostError);
  });

  it('a step of earlier work that still lives is stopped before another begins', async () => {
    const { deployPath, work, release } = await staged(SLOW_RESTART);
    const lost = new AbortController();
    const forward = failure(
      switchHost(fixture.hosts, { ...work, signal: lost.signal }, release, { runPreSwitch: true }),
    );
    await ledgerHas(deployPath, 'begin');
    const { group } = await beginOf(deployPath);
    lost.abort(new CouldNotTellError('the host was away'));
    await forward;
    const others = createHosts();
    const question = { name: 'restart', script: 'true', timeoutSeconds: 5, yields: true } as const;
    const asking = runStep(others.pool, later(work, { id: 'asked' }), deployPath, question);
    await expect(asking).rejects.toThrow(LeaseLostError);
    expect(await livingInGroup(group)).not.toEqual([]);
    const undo = later(work, { id: `${work.id}_undo` });
    const before = await fixture.release(deployPath, { version: 'v0' });
    await stageHost(others, undo, before);
    await switchHost(others, undo, before, { runPreSwitch: false });
    others.close();
    expect(await livingInGroup(group)).toEqual([]);
    expect(await textOf(deployPath, 'ledger')).toBe('begin v1\nrestart v0\n');
    expect(await textOf(deployPath, '.floy', 'journal')).toMatch(/end \S+ 1 switch 143 /);
  });

  it('another installation is refused, and named', async () => {
    const { deployPath, work, release } = await staged('true');
    const other = later(work, { installation: 'floy-two' });
    for (const error of await Promise.all([
      failure(stageHost(fixture.hosts, other, release)),
      failure(switchHost(fixture.hosts, other, release, { runPreSwitch: true })),
      failure(stopHost(fixture.hosts, other, deployPath)),
    ])) {
      expect(error).toBeInstanceOf(VerdictError);
      expect(error.message).toContain('floy-one');
    }
  });

  it('nothing is started when the lease is lost right before it', async () => {
    const { deployPath, work, release } = await staged('echo restarted >>../../ledger');
    const beforeStep = async (): Promise<void> => {
      throw new LeaseLostError('cancelled');
    };
    await expect(
      switchHost(fixture.hosts, { ...work, beforeStep }, release, { runPreSwitch: true }),
    ).rejects.toThrow(LeaseLostError);
    expect(await textOf(deployPath, 'ledger')).toBe('');
  });

  it('stopping ends what runs, also what does not listen to TERM', async () => {
    const { deployPath, work, release } = await staged(
      `trap '' TERM; echo "begin $$" >>../../ledger; sh -c 'trap "" TERM; while :; do sleep 1; done'`,
    );
    const stubborn = failure(switchHost(fixture.hosts, work, release, { runPreSwitch: true }));
    await ledgerHas(deployPath, 'begin');
    const { group } = await beginOf(deployPath);
    const others = createHosts();
    await stopHost(others, later(work), deployPath);
    others.close();
    expect(await livingInGroup(group)).toEqual([]);
    expect(await textOf(deployPath, '.floy', 'journal')).toMatch(/end \S+ 1 switch stopped/);
    expect(await stubborn).toBeInstanceOf(Error);
  });

  it.each([
    ['that ends later by itself', 'sleep 1; echo tidied >>../../ledger; exit 0', 'begin\ntidied\n'],
    ['that never ends', ':', 'begin\n'],
  ])('stopping waits for a child of the step %s', async (_, onTerm, ledger) => {
    const { deployPath, work, release } = await staged(
      `sh -c 'trap "${onTerm}" TERM; echo begin >>../../ledger; while :; do sleep 0.05; done'; true`,
    );
    const stopped = failure(switchHost(fixture.hosts, work, release, { runPreSwitch: true }));
    await ledgerHas(deployPath, 'begin');
    const { group } = await beginOf(deployPath);
    const others = createHosts();
    await stopHost(others, later(work), deployPath);
    others.close();
    expect(await livingInGroup(group)).toEqual([]);
    expect(await textOf(deployPath, 'ledger')).toBe(ledger);
    await stopped;
  });

  it('a step of which something is left after KILL could not be stopped', async () => {
    const { deployPath, work, release } = await staged(SLOW_RESTART);
    const switching = failure(switchHost(fixture.hosts, work, release, { runPreSwitch: true }));
    await ledgerHas(deployPath, 'begin');
    // As a member of another user does: signals do not reach it.
    const deaf = `kill() { :; }\n${stopSteps(lockOf(later(work), deployPath))}`;
    const seen: string[] = [];
    const others = createHosts();
    await others.pool.use(work, (client) =>
      runScript(client, deaf, {
        marks: { alive: 1 },
        onMark: (word, rest) => seen.push(`${word} ${rest}`),
      }),
    );
    expect(seen).toEqual([`alive ${work.id}.1.switch`]);
    await stopHost(others, later(work), deployPath);
    others.close();
    await switching;
  });

  it('stopping lets what listens to TERM end by itself, at once', async () => {
    const { deployPath, work, release } = await staged(
      `trap 'echo tidied >>../../ledger; exit 0' TERM; echo begin >>../../ledger; while :; do sleep 0.05; done`,
    );
    const stopped = failure(switchHost(fixture.hosts, work, release, { runPreSwitch: true }));
    await ledgerHas(deployPath, 'begin');
    const others = createHosts();
    const began = performance.now();
    await stopHost(others, later(work), deployPath);
    others.close();
    expect(performance.now() - began).toBeLessThan(2000);
    expect(await textOf(deployPath, 'ledger')).toBe('begin\ntidied\n');
    await stopped;
  });

  it('a service that a step starts outlives it and holds no lock', async () => {
    const { deployPath, work, release } = await staged(
      'sleep 1000 & echo $! >../../pid; disown 2>/dev/null; true',
    );
    await switchHost(fixture.hosts, work, release, { runPreSwitch: true });
    const pid = Number(await textOf(deployPath, 'pid'));
    await stopHost(fixture.hosts, later(work), deployPath);
    expect(process.kill(pid, 0)).toBe(true);
    const locks = execFileSync('sh', ['-c', `ls -l /proc/${pid}/fd`]).toString();
    expect(locks).not.toMatch(/\.floy\/(lock|steps\/.*\.run)/);
    process.kill(pid, 'SIGKILL');
  });

  it('nothing of a secret is left behind by a step', async () => {
    const { deployPath, work, release } = await staged('sleep 0.01', {
      environment: { TOKEN: 'sentinel-7f3a' },
    });
    await switchHost(fixture.hosts, work, release, { runPreSwitch: true });
    const found = execFileSync('sh', [
      '-c',
      `grep -rl sentinel-7f3a "$1" || true`,
      'sh',
      deployPath,
    ]);
    expect(found.toString().trim()).toBe(join(deployPath, '.floy', 'env', release.releaseDir));
  });

  it('a host that is away for longer than is tried is an unknown outcome', async () => {
    const { work, release } = await staged('true');
    fixture.hosts.pool.drop(work.connection);
    await fixture.host().stop();
    const error = await failure(
      switchHost(fixture.hosts, { ...work, connectMs: 0 }, release, { runPreSwitch: true }),
    );
    expect(error).toBeInstanceOf(CouldNotTellError);
    expect(error.message).toContain('Could not connect');
    await fixture.host().start();
    await switchHost(fixture.hosts, work, release, { runPreSwitch: true });
  });

  it('a host that is away for a while is waited for, by time and not by tries', async () => {
    const { deployPath, work, release } = await staged('echo restarted >>../../ledger');
    fixture.hosts.pool.drop(work.connection);
    await fixture.host().stop();
    const lines: string[] = [];
    const away = { ...work, retryCount: 0, log: (line: string) => lines.push(line) };
    const cancel = new AbortController();
    const options = { runPreSwitch: true };
    const cancelled = failure(
      switchHost(fixture.hosts, { ...away, signal: cancel.signal }, release, options),
    );
    await until(() => lines.filter((line) => line.includes('; trying again until ')).length > 3);
    cancel.abort(new LeaseLostError('cancelled'));
    const began = performance.now();
    expect(await cancelled).toBeInstanceOf(LeaseLostError);
    expect(performance.now() - began).toBeLessThan(500);
    const switching = switchHost(fixture.hosts, away, release, options);
    await until(() => lines.filter((line) => line.includes('; trying again until ')).length > 5);
    await fixture.host().start();
    await switching;
    expect(await textOf(deployPath, 'ledger')).toBe('restarted\n');
  });
});
