import { VerdictError } from '@floy/domain';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { lstat, mkdir, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failure, type HostFixture, startHostFixture, textOf } from '../../testing/host-fixture.js';
import { createHosts } from './hosts.js';
import { observeHost, releasesOn } from './observe-host.js';
import { pruneHost } from './prune-host.js';
import { runOnHost } from './run-on-host.js';
import { stageHost } from './stage-host.js';
import { switchHost } from './switch-host.js';

const describeHere = await needsSshd();
describeHere('bringing releases to a host', () => {
  let fixture: HostFixture;
  beforeAll(async () => {
    fixture = await startHostFixture({ hosts: 1 });
  });
  afterAll(() => fixture.stop());

  it('stages, switches, and does nothing of it twice', async () => {
    const deployPath = fixture.deployPath();
    const lines: string[] = [];
    const steps: string[] = [];
    const work = fixture.work({
      log: (line) => lines.push(line),
      beforeStep: async (name) => void steps.push(name),
    });
    const release = await fixture.release(deployPath, {
      version: 'v1.0.0',
      files: { 'app.txt': 'one', 'config/app.ini': 'a=1' },
      settings: {
        preSwitchCommand: 'echo "pre_switch $(pwd -P)"',
        drainCommand: 'echo drain',
        postSwitchCommand: 'echo "post_switch $FLOY_RELEASE_PATH $GREETING"',
        undrainCommand: 'echo undrain',
        statusCommand: 'test "$(cat app.txt)" = one',
        environment: { GREETING: "it's `me`\n$HOME" },
        sharedPaths: ['config/app.ini', 'data/uploads'],
      },
    });
    await stageHost(fixture.hosts, work, release);
    const folder = join(deployPath, 'releases', release.releaseDir);
    expect(await readFile(join(folder, 'app.txt'), 'utf8')).toBe('one');
    const environment = join(deployPath, '.floy', 'env');
    expect((await stat(join(environment, release.releaseDir))).mode & 0o777).toBe(0o600);
    for (const closed of [environment, join(deployPath, '.floy')]) {
      expect((await stat(closed)).mode & 0o777).toBe(0o700);
    }
    expect(await readlink(join(folder, 'config/app.ini'))).toBe(
      `${deployPath}/shared/config/app.ini`,
    );
    expect(await readFile(join(deployPath, 'shared/config/app.ini'), 'utf8')).toBe('a=1');
    expect((await lstat(join(deployPath, 'shared/data/uploads'))).isDirectory()).toBe(true);
    expect(steps).toEqual(['stage']);

    await switchHost(fixture.hosts, work, release, { runPreSwitch: true });
    expect(steps).toEqual(['stage', 'pre_switch', 'drain', 'switch', 'post_switch', 'undrain']);
    expect(await readlink(join(deployPath, 'current'))).toBe(`releases/${release.releaseDir}`);
    expect(lines).toContain(`pre_switch ${folder}`);
    expect(lines.join('\n')).toContain(`post_switch ${folder} it's \`me\`\n$HOME`);
    const ledger = await textOf(deployPath, 'ledger');
    expect(ledger).toBe('restart v1.0.0\n');

    await stageHost(fixture.hosts, work, release);
    await switchHost(fixture.hosts, work, release, { runPreSwitch: true });
    expect(await textOf(deployPath, 'ledger')).toBe(ledger);
  });

  it('goes back to a release that is still there without sending anything', async () => {
    const deployPath = fixture.deployPath();
    const one = await fixture.release(deployPath, { version: 'v1' });
    const two = await fixture.release(deployPath, { version: 'v2' });
    for (const release of [one, two]) {
      const work = fixture.work();
      await stageHost(fixture.hosts, work, release);
      await switchHost(fixture.hosts, work, release, { runPreSwitch: true });
    }
    const undo = fixture.work();
    const gone = (): never => {
      throw new Error('the artifact is not needed');
    };
    const hosts = createHosts();
    await stageHost(hosts, undo, { ...one, artifact: { ...one.artifact, open: gone } });
    hosts.close();
    await switchHost(fixture.hosts, undo, one, { runPreSwitch: false });
    expect(await textOf(deployPath, 'ledger')).toBe('restart v1\nrestart v2\nrestart v1\n');
    const seen = await observeHost(fixture.hosts, undo, one.settings);
    expect(seen).toEqual({ current: one.releaseDir, mixed: null, running: true });
    const releases = await releasesOn(fixture.hosts, undo, deployPath);
    expect(releases.toSorted()).toEqual([one.releaseDir, two.releaseDir].toSorted());
  });

  it('sends an artifact that is there already only once', async () => {
    const deployPath = fixture.deployPath();
    const release = await fixture.release(deployPath);
    const lines: string[] = [];
    const log = (line: string): number => lines.push(line);
    await stageHost(fixture.hosts, fixture.work({ log }), release);
    const again = { ...release, releaseDir: `${release.releaseDir}.again` };
    await stageHost(fixture.hosts, fixture.work({ log }), again);
    expect(lines.filter((line) => line.startsWith('Sending'))).toHaveLength(1);
    expect(await textOf(deployPath, 'releases', again.releaseDir, 'app.txt')).toBe('v1');
  });

  it('stops what runs before it switches, where it is told how', async () => {
    const deployPath = fixture.deployPath();
    const stopCommand = 'echo "stop $(readlink ../../current)" >>../../ledger';
    const restartCommand = 'echo "start $(readlink ../../current)" >>../../ledger';
    const settings = { stopCommand, restartCommand };
    const one = await fixture.release(deployPath, { version: 'v1', settings });
    const two = await fixture.release(deployPath, { version: 'v2', settings });
    for (const release of [one, two]) {
      const work = fixture.work();
      await stageHost(fixture.hosts, work, release);
      await switchHost(fixture.hosts, work, release, { runPreSwitch: false });
    }
    const [first, second] = [one, two].map(({ releaseDir }) => `releases/${releaseDir}`);
    expect(await textOf(deployPath, 'ledger')).toBe(
      `start ${first}\nstop ${first}\nstart ${second}\n`,
    );
    const stuck = await fixture.release(deployPath, {
      version: 'v3',
      settings: { ...settings, stopCommand: 'exit 3' },
    });
    const work = fixture.work();
    await stageHost(fixture.hosts, work, stuck);
    const error = await failure(switchHost(fixture.hosts, work, stuck, { runPreSwitch: false }));
    expect(error).toBeInstanceOf(VerdictError);
    expect(await readlink(join(deployPath, 'current'))).toBe(second);

    const crashed = await fixture.release(deployPath, {
      version: 'v4',
      settings: {
        ...settings,
        stopCommand: 'exit 3',
        statusCommand: 'test "$FLOY_VERSION" = v4 && test -f ../../up',
        restartCommand: 'touch ../../up',
      },
    });
    const again = fixture.work();
    await stageHost(fixture.hosts, again, crashed);
    await switchHost(fixture.hosts, again, crashed, { runPreSwitch: false });
    expect(await readlink(join(deployPath, 'current'))).toBe(`releases/${crashed.releaseDir}`);
  });

  it('tells a verdict with what the command said', async () => {
    const deployPath = fixture.deployPath();
    const release = await fixture.release(deployPath, {
      settings: { restartCommand: 'echo "no such unit" >&2; exit 5' },
    });
    const work = fixture.work();
    await stageHost(fixture.hosts, work, release);
    const error = await failure(switchHost(fixture.hosts, work, release, { runPreSwitch: true }));
    expect(error).toBeInstanceOf(VerdictError);
    const folder = join(deployPath, 'releases', release.releaseDir);
    expect(error.message).toBe(`restart_command ended with exit code 5 in ${folder}: no such unit`);
    const repeated = await failure(
      switchHost(fixture.hosts, work, release, { runPreSwitch: true }),
    );
    expect(repeated.message).toBe(error.message);
  });

  it('runs commands in the folder of the release itself: cd ../.. stays with the application', async () => {
    const deployPath = fixture.deployPath();
    const tell = 'echo "$PWD $(cd ../.. && pwd) $FLOY_VERSION $FLOY_RELEASE_PATH" >>../../ledger';
    const release = await fixture.release(deployPath, {
      settings: {
        preSwitchCommand: tell,
        restartCommand: tell,
        postSwitchCommand: tell,
        statusCommand: tell,
        health: { from: 'host', timeoutSeconds: 5, minHealthySeconds: 0, command: tell },
      },
    });
    const work = fixture.work();
    await stageHost(fixture.hosts, work, release);
    await switchHost(fixture.hosts, work, release, { runPreSwitch: true });
    const folder = join(deployPath, 'releases', release.releaseDir);
    const told = (await textOf(deployPath, 'ledger')).trimEnd().split('\n');
    expect(told).toEqual(Array.from({ length: 5 }, () => `${folder} ${deployPath} v1 ${folder}`));
  });

  it('says which part of a switch failed where it was not the restart', async () => {
    const deployPath = fixture.deployPath();
    const settings = { stopCommand: 'echo "it clings"; exit 3' };
    const one = await fixture.release(deployPath, { settings });
    const two = await fixture.release(deployPath, { version: 'v2', settings });
    for (const [release, runs] of [
      [one, true],
      [two, false],
    ] as const) {
      const work = fixture.work();
      await stageHost(fixture.hosts, work, release);
      const switching = switchHost(fixture.hosts, work, release, { runPreSwitch: false });
      if (runs) await switching;
      else
        expect((await failure(switching)).message).toBe(
          'switch failed: the service could not be stopped: it clings\n' +
            `stop_command ended with exit code 3 in ${deployPath}/releases/${one.releaseDir}, ` +
            'and status_command says that the service runs',
        );
    }
  });

  it('ends a step that takes too long', async () => {
    const deployPath = fixture.deployPath();
    const release = await fixture.release(deployPath, {
      settings: { restartCommand: 'echo $$ >../../pid; sleep 1000', timeoutSeconds: 1 },
    });
    const work = fixture.work();
    await stageHost(fixture.hosts, work, release);
    const error = await failure(switchHost(fixture.hosts, work, release, { runPreSwitch: true }));
    expect(error).toBeInstanceOf(VerdictError);
    const host = `127.0.0.1:${fixture.host().port}`;
    expect(error.message).toBe(
      `restart_command did not end within 1 s on ${host} (step switch; the key is timeout)`,
    );
    const pid = Number(await textOf(deployPath, 'pid'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it('names what the host lacks', async () => {
    const path = join(fixture.host().folder, 'a-file');
    const result = await runOnHost(fixture.hosts, fixture.work(), `echo x >${path}`, {
      timeoutSeconds: 10,
    });
    expect(result).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    const release = await fixture.release(join(path, 'app'));
    await expect(stageHost(fixture.hosts, fixture.work(), release)).rejects.toThrow(
      `${path}/app could not be made: Not a directory`,
    );
    for (const bad of ['relative', '/', '/srv/../etc', '/srv/a\nb']) {
      const wrong = { ...release, settings: { ...release.settings, deployPath: bad } };
      await expect(stageHost(fixture.hosts, fixture.work(), wrong)).rejects.toThrow('deploy_path');
    }
  });

  it('keeps the current and the named releases, and nothing of the steps of others', async () => {
    const deployPath = fixture.deployPath();
    const dirs: string[] = [];
    let work = fixture.work();
    for (const version of ['v1', 'v2', 'v3', 'v4', 'v5']) {
      const release = await fixture.release(deployPath, { version });
      work = fixture.work();
      await stageHost(fixture.hosts, work, release);
      if (version === 'v2') {
        await switchHost(fixture.hosts, work, release, { runPreSwitch: true });
      }
      dirs.push(release.releaseDir);
    }
    await mkdir(join(deployPath, 'releases', 'not-ours'));
    const [one = '', two, three, four, five = ''] = dirs;
    const steps = join(deployPath, '.floy', 'steps');
    const own = join(steps, `${work.id}.1.stage.out`);
    const much = `${'x'.repeat(2_000_000)}the end`;
    await writeFile(own, much);
    const others = (await readdir(steps)).filter((name) => !name.startsWith(`${work.id}.`));
    expect(others).not.toEqual([]);
    expect(await pruneHost(fixture.hosts, work, deployPath, [one, five])).toEqual([three, four]);
    expect(await readdir(steps)).toEqual([`${work.id}.1.stage.out`]);
    expect(await textOf(own)).toBe(much.slice(-65536));
    const releases = await releasesOn(fixture.hosts, work, deployPath);
    expect(releases.toSorted()).toEqual([one, two, five].toSorted());
    expect((await stat(join(deployPath, 'releases', 'not-ours'))).isDirectory()).toBe(true);
  });

  it('looks at a host that has nothing', async () => {
    const seen = await observeHost(fixture.hosts, fixture.work(), {
      deployPath: '/nowhere/app',
      statusCommand: 'true',
    });
    expect(seen).toEqual({ current: null, mixed: null, running: false });
    expect(await releasesOn(fixture.hosts, fixture.work(), '/nowhere/app')).toEqual([]);
  });

  it('ends a command that runs too long', async () => {
    const result = await runOnHost(fixture.hosts, fixture.work(), 'echo begun; sleep 1000', {
      timeoutSeconds: 1,
    });
    expect(result).toEqual({ exitCode: 124, stdout: 'begun\n', stderr: '' });
  });
});
