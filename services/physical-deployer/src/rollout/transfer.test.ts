import { CouldNotTellError, VerdictError } from '@floy/domain';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { failure, type HostFixture, startHostFixture, until } from '../../testing/host-fixture.js';
import { createHosts } from './hosts.js';
import { receiveAhead } from '../commands/receive.js';
import { type HostRelease, lockOf } from './host-work.js';
import { pruneHost } from './prune-host.js';
import { sendArtifact } from './send-artifact.js';
import { stageHost } from './stage-host.js';

const describeHere = await needsSshd();
describeHere('transfers to a host', () => {
  let fixture: HostFixture;
  let archive: string;
  beforeAll(async () => {
    fixture = await startHostFixture({ hosts: 2 });
    await writeFile(join(fixture.folder, 'big'), randomBytes(3_000_000));
    archive = join(fixture.folder, 'big.tar.gz');
    execFileSync('tar', ['-czf', archive, '-C', fixture.folder, 'big']);
  });
  afterAll(() => fixture.stop());

  /** The release with an artifact that breaks as told the first times it is sent. */
  const breaking = (release: HostRelease, times: number, broken: () => Readable): HostRelease => {
    // The first time it is opened is the check.
    let opened = -1;
    const open = (): Readable => {
      opened += 1;
      return opened >= 1 && opened <= times ? broken() : createReadStream(archive);
    };
    return { ...release, artifact: { ...release.artifact, open } };
  };
  const left = (deployPath: string): Promise<string[]> =>
    readdir(join(deployPath, '.floy', 'incoming'));

  it('a cut upload is never used, and sent again', async () => {
    const hosts = createHosts();
    const deployPath = fixture.deployPath();
    const release = await fixture.releaseOf(deployPath, archive);
    const halfThenCut = (): Readable =>
      Readable.from(
        (async function* () {
          yield (await readFile(archive)).subarray(0, 1_500_000);
          await fixture.host().cutConnections();
          yield Buffer.from('x');
        })(),
      );
    const cut = breaking(release, 1, halfThenCut);
    await expect(stageHost(hosts, fixture.work({ retryCount: 0 }), cut)).rejects.toThrow(
      CouldNotTellError,
    );
    expect(await readdir(join(deployPath, 'releases'))).toEqual([]);
    const again = breaking(release, 2, halfThenCut);
    await stageHost(createHosts(), fixture.work(), again);
    expect(await readdir(join(deployPath, 'releases'))).toEqual([release.releaseDir]);
    expect(await left(deployPath)).toEqual([release.artifact.sha256]);
    hosts.close();
  });

  it.each<[string, (whole: Buffer) => Buffer]>([
    ['a flipped byte', (whole) => Buffer.from(whole).fill(1, 1000, 1001)],
    ['a short body', (whole) => whole.subarray(0, -1)],
    ['a body too long', (whole) => Buffer.concat([whole, Buffer.from('x')])],
  ])('%s is never used', async (_, damage) => {
    const hosts = createHosts();
    const deployPath = fixture.deployPath();
    const release = await fixture.releaseOf(deployPath, archive);
    const whole = await readFile(archive);
    const damaged = breaking(release, 99, () => Readable.from([damage(whole)]));
    const error = await failure(stageHost(hosts, fixture.work({ retryCount: 1 }), damaged));
    expect(error).toBeInstanceOf(CouldNotTellError);
    expect(await readdir(join(deployPath, 'releases'))).toEqual([]);
    expect((await left(deployPath)).filter((name) => !name.endsWith('.part'))).toEqual([]);
    hosts.close();
  });

  it('an artifact that was damaged on the host is sent again', async () => {
    const deployPath = fixture.deployPath();
    const release = await fixture.releaseOf(deployPath, archive);
    await stageHost(fixture.hosts, fixture.work(), release);
    const kept = join(deployPath, '.floy', 'incoming', release.artifact.sha256);
    await writeFile(kept, 'damaged');
    const again = { ...release, releaseDir: 'again' };
    await stageHost(fixture.hosts, fixture.work(), again);
    expect((await readFile(kept)).equals(await readFile(archive))).toBe(true);
  });

  it('a hostile archive never reaches the host', async () => {
    await symlink('../../.floy/env', join(fixture.folder, 'leaving'));
    const hostile = join(fixture.folder, 'hostile.tar.gz');
    execFileSync('tar', ['-czf', hostile, '-C', fixture.folder, 'leaving']);
    const deployPath = fixture.deployPath();
    const release = await fixture.releaseOf(deployPath, hostile);
    const error = await failure(stageHost(fixture.hosts, fixture.work(), release));
    expect(error).toBeInstanceOf(VerdictError);
    expect(error.message).toContain('"leaving"');
    expect(await readdir(join(deployPath, 'releases'))).toEqual([]);
    await until(async () => (await left(deployPath)).length === 0);
  });

  it('a host key that changed is refused before anything is sent, also for a kept connection', async () => {
    const host = fixture.host(1);
    const release = await fixture.releaseOf(fixture.deployPath(1), archive);
    const verifyHostKey = async (fingerprint: string): Promise<void> => {
      if (fingerprint !== host.hostKeyFingerprint) throw new VerdictError(`now ${fingerprint}`);
    };
    await stageHost(fixture.hosts, fixture.work({ index: 1, verifyHostKey }), release);
    const refuse = async (): Promise<void> => {
      throw new VerdictError('approved no longer');
    };
    const work = fixture.work({ index: 1, verifyHostKey: refuse });
    await expect(stageHost(fixture.hosts, work, release)).rejects.toThrow('approved no longer');
    await host.stop();
    await writeFile(host.logFile, '');
    await host.start({ hostKeyFile: join(fixture.folder, 'sshd-1', 'host_key') });
    const next = fixture.work({ index: 1, verifyHostKey });
    await expect(stageHost(fixture.hosts, next, release)).rejects.toThrow('now SHA256:');
    expect(await readFile(host.logFile, 'utf8')).not.toMatch(/publickey|Accepted/);
  });

  it('what was sent ahead is left for a day, and not sent again', async () => {
    const deployPath = fixture.deployPath();
    const release = await fixture.releaseOf(deployPath, archive);
    const { sha256 } = release.artifact;
    const work = fixture.work();
    const ahead = receiveAhead(lockOf(work, deployPath), { sha256, size: release.artifact.size });
    expect(await sendArtifact(fixture.hosts, work, release.artifact, ahead)).toBe('uploaded');
    expect(await sendArtifact(fixture.hosts, work, release.artifact, ahead)).toBe('have');
    expect((await stat(join(deployPath, '.floy'))).mode & 0o777).toBe(0o700);
    await pruneHost(fixture.hosts, work, deployPath, []);
    expect(await left(deployPath)).toEqual([sha256, `${sha256}.ahead`]);
    const lines: string[] = [];
    const log = (line: string): number => lines.push(line);
    await stageHost(fixture.hosts, fixture.work({ log }), release);
    expect(lines).toEqual([]);
    const marker = join(deployPath, '.floy', 'incoming', `${sha256}.ahead`);
    await utimes(marker, 0, Date.now() / 1000 - 25 * 3600);
    await pruneHost(fixture.hosts, fixture.work(), deployPath, []);
    expect(await left(deployPath)).toEqual([]);
  });

  it('a host fetches the artifact itself where it is given a link', async () => {
    const asked: string[] = [];
    let answer = (): Promise<Buffer> => readFile(archive);
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      answer().then(
        (bytes) => response.end(bytes),
        () => response.writeHead(403).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const deployPath = fixture.deployPath();
    const pushed = await fixture.releaseOf(deployPath, archive);
    const link = `http://127.0.0.1:${port}/a?signature=s`;
    const release = { ...pushed, artifact: { ...pushed.artifact, link: () => link } };
    const work = fixture.work({ retryCount: 0 });

    answer = () => Promise.reject(new Error('no'));
    const refused = await failure(stageHost(fixture.hosts, work, release));
    expect(refused).toBeInstanceOf(CouldNotTellError);
    expect(refused.message).toContain('403');
    answer = async () => (await readFile(archive)).fill(1, 1000, 1001);
    const damaged = await failure(stageHost(fixture.hosts, work, release));
    expect(damaged.message).toContain('is not');
    expect(await left(deployPath)).toEqual([]);

    answer = () => readFile(archive);
    await stageHost(fixture.hosts, work, release);
    expect(await readdir(join(deployPath, 'releases'))).toEqual([release.releaseDir]);
    expect(asked).toEqual(Array(3).fill('/a?signature=s'));
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('a disk that does not take the artifact is a verdict', async () => {
    const deployPath = fixture.deployPath();
    const { artifact } = await fixture.releaseOf(deployPath, archive);
    const lock = lockOf(fixture.work(), deployPath);
    const full = `head() { command head "$@" >/dev/full; }\n${receiveAhead(lock, { ...artifact, link: undefined })}`;
    const error = await failure(sendArtifact(fixture.hosts, fixture.work(), artifact, full));
    expect(error).toBeInstanceOf(VerdictError);
    expect(error.message).toContain('is the disk full?');
    expect((await left(deployPath)).filter((name) => !name.endsWith('.ahead'))).toEqual([]);
  });
});
