import { CouldNotTellError } from '@floy/domain';
import { startSshdFleet, type SshdFleet } from '@floy/local-servers/sshd';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../testing/host-fixture.js';
import { createConnectionPool, type HostAccess } from './connection-pool.js';
import type { SshClient } from './ssh-client.js';

const describeHere = await needsSshd();
describeHere('kept connections', () => {
  let folder: string;
  let fleet: SshdFleet;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'floy-pool-'));
    fleet = await startSshdFleet({ folder, hosts: 1 });
  });
  afterAll(async () => {
    await fleet.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const access = (): HostAccess => {
    const [host] = fleet.hosts;
    if (host === undefined) throw new Error('no host');
    return { connection: { ...host, privateKey: fleet.privateKey }, verifyHostKey: async () => {} };
  };
  const connections = async (): Promise<number> =>
    (await readFile(fleet.hosts[0]?.logFile ?? '', 'utf8')).match(/Accepted publickey/g)?.length ??
    0;

  it('are used again, closed when idle, and made again when they broke', async () => {
    // Longer than a busy machine takes from one use to the next.
    const pool = createConnectionPool({ idleMs: 1000 });
    const before = await connections();
    let kept: SshClient | undefined;
    const use = async (client: SshClient): Promise<string> => {
      kept = client;
      return (await client.run('echo here')).stdout;
    };
    expect(await pool.use(access(), use)).toBe('here\n');
    const first = kept;
    expect(await pool.use(access(), use)).toBe('here\n');
    expect(kept).toBe(first);
    expect(await connections()).toBe(before + 1);
    await until(() => first?.closed === true);
    expect(pool.open()).toBe(0);

    await pool.use(access(), use);
    expect(kept).not.toBe(first);
    const cut = pool.use(access(), (client) => client.run('echo begun; sleep 5'));
    const broken = cut.then(
      () => undefined,
      (error: unknown) => error,
    );
    await until(async () => ((await fleet.hosts[0]?.cutConnections()) ?? 0) > 0);
    expect(await broken).toBeInstanceOf(CouldNotTellError);
    expect(await pool.use(access(), use)).toBe('here\n');
    pool.close();
    expect(kept?.closed).toBe(true);
    await expect(pool.use(access(), use)).rejects.toThrow('closed');
  });

  it('are not all made at once', async () => {
    const pool = createConnectionPool({ maxConnecting: 2 });
    let verifying = 0;
    let most = 0;
    const verifyHostKey = async (): Promise<void> => {
      verifying += 1;
      most = Math.max(most, verifying);
      await new Promise(setImmediate);
      verifying -= 1;
    };
    await Promise.all(
      Array.from({ length: 6 }, () =>
        pool.use({ ...access(), verifyHostKey }, (client) => client.run('true')),
      ),
    );
    expect(most).toBeLessThanOrEqual(2);
    pool.close();
  });
});
