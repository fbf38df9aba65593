import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isPortFree } from './free-port.js';
import { isAlive } from './process-table.js';
import { findSshd, startSshdFleet, type SshdFleet } from './sshd.js';

(findSshd() === undefined ? describe.skip : describe)('a fleet of sshd on loopback', () => {
  let folder: string;
  let fleet: SshdFleet;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'floy-sshd-'));
    fleet = await startSshdFleet({ folder, hosts: 2, config: ['MaxSessions 1'] });
  });
  afterAll(async () => {
    await fleet.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('gives each host a port, a key, a folder and a log of its own', async () => {
    const [one, two] = fleet.hosts;
    if (one === undefined || two === undefined) throw new Error('two hosts were asked for');
    expect(one.port).not.toBe(two.port);
    expect(one.hostKeyFingerprint).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
    expect(one.hostKeyFingerprint).not.toBe(two.hostKeyFingerprint);
    expect(one.folder).not.toBe(two.folder);
    expect(await readFile(one.logFile, 'utf8')).toContain(`port ${one.port}`);
    expect(fleet.privateKey).toContain('BEGIN OPENSSH PRIVATE KEY');
  });

  it("gives who logs in a home of the host's own, and no login files of the machine", async () => {
    const [host] = fleet.hosts;
    if (host === undefined) throw new Error('a host was asked for');
    const key = join(folder, 'client_key');
    const options = ['-F', '/dev/null', '-i', key, '-o', 'StrictHostKeyChecking=no'];
    const known = ['-o', 'UserKnownHostsFile=/dev/null', '-p', String(host.port)];
    const words = [...options, ...known, `${host.user}@127.0.0.1`, 'echo "$HOME"; ls -A "$HOME"'];
    const { stdout } = await promisify(execFile)('ssh', words);
    expect(stdout).toBe(`${join(folder, 'sshd-1', 'home')}\n`);
  });

  it('stops a host and starts it again on the same port with the same key', async () => {
    const [host] = fleet.hosts;
    const pid = host?.pid;
    if (host === undefined || pid === undefined) throw new Error('the host should run');
    const before = host.hostKeyFingerprint;
    await host.stop();
    expect(await isAlive(pid)).toBe(false);
    expect(await isPortFree(host.port)).toBe(true);
    await host.start();
    expect(host.pid).not.toBe(pid);
    expect(host.hostKeyFingerprint).toBe(before);
    expect(await isPortFree(host.port)).toBe(false);
  });
});
