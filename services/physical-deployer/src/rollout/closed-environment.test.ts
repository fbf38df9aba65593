import { VerdictError } from '@floy/domain';
import { needsRoot, needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostSettings } from '@floy/contracts';
import { failure, type HostFixture, startHostFixture, textOf } from '../../testing/host-fixture.js';
import { createHosts } from './hosts.js';
import type { HostRelease } from './host-work.js';
import { seeHealth } from './look-at-health.js';
import { observeHost, releasesOn } from './observe-host.js';
import { pruneHost } from './prune-host.js';
import { stageHost } from './stage-host.js';
import { switchHost } from './switch-host.js';

/** The user that applications run as. */
const APP = 65534;
const SECRET = 'sentinel-9c41';
/** Serves every file below its folder, links followed, as simple file servers do. */
const FILE_SERVER = `
  const { createServer } = require('node:http');
  const { readFile } = require('node:fs');
  createServer(({ url }, answer) =>
    readFile('.' + decodeURIComponent(url), (error, data) =>
      error ? answer.writeHead(404).end() : answer.end(data)),
  ).listen(0, '127.0.0.1', function () { console.log(this.address().port); });
`;
/** Tells what a unit of systemd would start with. */
const RESTART = `echo "$FLOY_VERSION $(cat ../../.floy/env/current)" >>../../ledger`;

const describeWithSshd = await needsSshd();
const describeAsRoot = (await needsRoot()) === describe ? describeWithSshd : describe.skip;

let fixture: HostFixture;
beforeAll(async () => {
  fixture = await startHostFixture({ hosts: 1 });
  // The application finds the way to what belongs to it.
  await chmod(fixture.folder, 0o755);
});
afterAll(() => fixture.stop());

const made = (
  deployPath: string,
  version: string,
  settings: Partial<HostSettings> = {},
  files?: Readonly<Record<string, string>>,
): Promise<HostRelease> =>
  fixture.release(deployPath, {
    version,
    files,
    settings: { environment: { TOKEN: `${SECRET}-${version}` }, ...settings },
  });
const staged = (release: HostRelease) => stageHost(fixture.hosts, fixture.work(), release);
const switched = (release: HostRelease) =>
  switchHost(fixture.hosts, fixture.work(), release, { runPreSwitch: true });
const released = async (release: HostRelease): Promise<void> => {
  await staged(release);
  await switched(release);
};

describeWithSshd('the environment of a release', () => {
  it('is handed out by no file server in current', async () => {
    const deployPath = fixture.deployPath();
    const release = await made(deployPath, 'v1', { sharedPaths: ['uploads'] }, { 'a/b.txt': 'b' });
    await released(release);
    const current = join(deployPath, 'current');
    const server = spawn(process.execPath, ['-e', FILE_SERVER], { cwd: current });
    const [port] = (await once(server.stdout, 'data')).map(Number);
    const served: string[] = [];
    const files = execFileSync('find', ['-L', '.', '-type', 'f'], { cwd: current }).toString();
    for (const file of ['./.floy-env', './.floy-release', ...files.trim().split('\n')]) {
      const answer = await fetch(`http://127.0.0.1:${port}/${encodeURI(file.slice(2))}`);
      served.push(await answer.text());
    }
    const ended = once(server, 'exit');
    server.kill();
    await ended;
    expect(served).toContain('b');
    expect(served.join('\n')).not.toContain(SECRET);
    expect(await textOf(deployPath, '.floy', 'env', 'current')).toBe(`TOKEN='${SECRET}-v1'\n`);
  });

  it('is brought back with the code, at a path that a unit of systemd can name', async () => {
    const deployPath = fixture.deployPath();
    const settings = { restartCommand: RESTART };
    const [one, two] = [
      await made(deployPath, 'v1', settings),
      await made(deployPath, 'v2', settings),
    ];
    for (const release of [one, two, one]) await released(release);
    expect(await textOf(deployPath, 'ledger')).toBe(
      ['v1', 'v2', 'v1'].map((version) => `${version} TOKEN='${SECRET}-${version}'\n`).join(''),
    );
    expect(await readlink(join(deployPath, '.floy/env/current'))).toBe(one.releaseDir);
  });

  it('is written again where the same release comes with new secrets, and nothing else', async () => {
    const deployPath = fixture.deployPath();
    const release = await made(deployPath, 'v1', { restartCommand: RESTART });
    await released(release);
    await writeFile(join(deployPath, 'current', 'written'), 'by the service');
    const open = (): never => {
      throw new Error('the artifact is not needed');
    };
    const renewed = {
      ...release,
      artifact: { ...release.artifact, open },
      settings: { ...release.settings, environment: { TOKEN: 'renewed' } },
    };
    const hosts = createHosts();
    await stageHost(hosts, fixture.work(), renewed);
    hosts.close();
    await switched(renewed);
    expect(await textOf(deployPath, 'ledger')).toContain(`v1 TOKEN='renewed'\n`);
    expect(await textOf(deployPath, 'current', 'written')).toBe('by the service');
    expect(execFileSync('grep', ['-rlF', 'renewed', deployPath]).toString().trim()).toBe(
      [join(deployPath, 'ledger'), join(deployPath, '.floy/env', release.releaseDir)].join('\n'),
    );
  });

  it('goes with its release when that is pruned, and so does what nothing belongs to', async () => {
    const deployPath = fixture.deployPath();
    const releases: HostRelease[] = [];
    for (const version of ['v1', 'v2', 'v3']) releases.push(await made(deployPath, version));
    for (const release of releases) await released(release);
    const [, two, three] = releases.map(({ releaseDir }) => releaseDir);
    // As a staging leaves it that was killed before its last act.
    for (const name of ['env', 'made']) await writeFile(join(deployPath, '.floy', name, 'v9'), 'x');
    await pruneHost(fixture.hosts, fixture.work(), deployPath, [two ?? '']);
    expect((await readdir(join(deployPath, 'releases'))).sort()).toEqual([two, three]);
    expect((await readdir(join(deployPath, '.floy/env'))).sort()).toEqual(['current', two, three]);
    expect((await readdir(join(deployPath, '.floy/made'))).sort()).toEqual([two, three]);
    const left = execFileSync('sh', ['-c', `grep -rl ${SECRET}-v1 . || true`], { cwd: deployPath });
    expect(left.toString()).toBe('');
  });

  it('is never older than the code, and seen where a switch was cut between the two', async () => {
    const deployPath = fixture.deployPath();
    const settings = { restartCommand: RESTART };
    const one = await made(deployPath, 'v1', settings);
    const two = await made(deployPath, 'v2', settings);
    await released(one);
    await staged(two);
    // The rename of `current` fails: the step ends where a kill could have ended it.
    await mkdir(join(deployPath, '.floy', 'current.new'));
    const error = await failure(switched(two));
    expect(error.message).toContain('current could not be switched');
    expect(await observeHost(fixture.hosts, fixture.work(), one.settings)).toEqual({
      current: one.releaseDir,
      mixed: two.releaseDir,
      running: true,
    });
    expect(await seeHealth(fixture.hosts, fixture.work(), one)).toEqual({
      healthy: false,
      reason: `.floy/env/current points to ${two.releaseDir} instead of ${one.releaseDir}`,
    });
    expect(await textOf(deployPath, 'ledger')).not.toContain('v2');

    await rm(join(deployPath, '.floy', 'current.new'), { recursive: true });
    await released(one);
    const seen = await observeHost(fixture.hosts, fixture.work(), one.settings);
    expect(seen).toEqual({ current: one.releaseDir, mixed: null, running: true });
  });

  it('that is missing keeps its release from being switched to', async () => {
    const deployPath = fixture.deployPath();
    const release = await made(deployPath, 'v1');
    await staged(release);
    await rm(join(deployPath, '.floy/env', release.releaseDir));
    const error = await failure(switched(release));
    expect(error).toBeInstanceOf(VerdictError);
    expect(error.message).toContain(`.floy/env/${release.releaseDir} is not there`);
    expect(existsSync(join(deployPath, 'current'))).toBe(false);
  });
});

describeAsRoot('an application that owns its release folder', () => {
  /** Everything that a Floy has ever read in a release, as the application would like it. */
  const plant = (folder: string, owned: string): void => {
    const script = `printf '%s\\n' "touch '${owned}'" >.floy-env
      printf '%s v666\\n' "${'b'.repeat(64)}" >.floy-release`;
    execFileSync('sh', ['-c', script], { cwd: folder, uid: APP, gid: APP });
  };

  it('changes nothing that root runs and nothing that Floy believes', async () => {
    const deployPath = fixture.deployPath();
    const owned = join(fixture.folder, `owned-${Math.random()}`);
    const settings = {
      restartCommand: `chown -R ${APP}:${APP} "$FLOY_RELEASE_PATH"; echo "restart $FLOY_VERSION $TOKEN" >>../../ledger`,
      statusCommand: 'echo "status $FLOY_VERSION $TOKEN" >>../../ledger',
      stopCommand: 'echo "stop $FLOY_VERSION $TOKEN" >>../../ledger',
      drainCommand: 'true',
    };
    const one = await made(deployPath, 'v1', settings);
    const two = await made(deployPath, 'v2', settings);
    for (const release of [one, two]) {
      await released(release);
      plant(join(deployPath, 'releases', release.releaseDir), owned);
    }
    const seen = await observeHost(fixture.hosts, fixture.work(), two.settings);
    expect(seen).toMatchObject({ current: two.releaseDir, running: true });
    expect((await seeHealth(fixture.hosts, fixture.work(), two)).healthy).toBe(true);
    const known = await releasesOn(fixture.hosts, fixture.work(), deployPath);
    expect(known.sort()).toEqual([one.releaseDir, two.releaseDir].sort());
    await released(one);
    await pruneHost(fixture.hosts, fixture.work(), deployPath, []);
    expect(await readdir(join(deployPath, 'releases'))).toEqual([one.releaseDir]);
    const told = (await textOf(deployPath, 'ledger')).trimEnd().split('\n');
    const honest = /^\w+ (v[12]) sentinel-9c41-\1$/;
    expect(told.filter((line) => !honest.test(line))).toEqual([]);
    expect(existsSync(owned)).toBe(false);
  });

  it('and is given the whole place by its restart is told of, before root runs anything', async () => {
    const deployPath = fixture.deployPath();
    const owned = join(fixture.folder, `owned-${Math.random()}`);
    const give = `chown -R ${APP}:${APP} ../..; echo "touch '${owned}'" >"../../.floy/env/\${FLOY_RELEASE_PATH##*/}"`;
    const release = await made(deployPath, 'v1', { restartCommand: give });
    const error = await failure(released(release));
    expect(error).toBeInstanceOf(VerdictError);
    expect(error.message).toContain(`belongs to the user ${APP}`);
    const looking = observeHost(fixture.hosts, fixture.work(), release.settings);
    expect((await failure(looking)).message).toContain(`belongs to the user ${APP}`);
    expect(existsSync(owned)).toBe(false);
  });

  it('since a Floy before has its release made anew, and nothing of it believed', async () => {
    const deployPath = fixture.deployPath();
    const owned = join(fixture.folder, `owned-${Math.random()}`);
    const one = await made(deployPath, 'v1');
    const two = await made(deployPath, 'v2');
    await released(one);
    await released(two);
    // As an earlier Floy has left it: all that it knew of the release lay inside.
    const folder = join(deployPath, 'releases', one.releaseDir);
    for (const name of ['env', 'made']) await rm(join(deployPath, '.floy', name, one.releaseDir));
    execFileSync('chown', ['-R', `${APP}:${APP}`, folder]);
    plant(folder, owned);
    expect(await releasesOn(fixture.hosts, fixture.work(), deployPath)).toEqual([two.releaseDir]);
    await released(one);
    expect(await readdir(folder)).toEqual(['app.txt']);
    expect(await textOf(deployPath, '.floy/env/current')).toBe(`TOKEN='${SECRET}-v1'\n`);

    const stray = join(deployPath, 'releases', 'v0-rel_0');
    await mkdir(stray);
    await writeFile(join(stray, '.floy-release'), `${'a'.repeat(64)} v0\n`);
    await pruneHost(fixture.hosts, fixture.work(), deployPath, [two.releaseDir]);
    expect(existsSync(stray)).toBe(false);
    expect(existsSync(owned)).toBe(false);
  });
});
