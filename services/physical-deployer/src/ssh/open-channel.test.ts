import { CouldNotTellError } from '@floy/domain';
import { startSshdFleet, type SshdFleet } from '@floy/local-servers/sshd';
import { needsSshd } from '@floy/testing/needs';
import { startTcpProxy, type TcpProxy } from '@floy/testing/tcp-proxy';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { httpHealth } from '../rollout/http-health.js';
import { createConnectionPool } from './connection-pool.js';
import { openChannel } from './open-channel.js';
import { connectSsh, type SshClient } from './ssh-client.js';

const describeHere = await needsSshd();
describeHere('a host that opens no channel', () => {
  let folder: string;
  let fleet: SshdFleet;
  let proxy: TcpProxy;
  let client: SshClient;
  const verify = async (): Promise<void> => {};
  const connection = () => ({
    host: '127.0.0.1',
    port: proxy.port,
    user: fleet.hosts[0]?.user ?? '',
    privateKey: fleet.privateKey,
  });
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'floy-channel-'));
    fleet = await startSshdFleet({ folder, hosts: 1 });
    proxy = await startTcpProxy({ host: '127.0.0.1', port: fleet.hosts[0]?.port ?? 0 });
    client = await connectSsh(connection(), verify);
    proxy.drop();
  });
  afterAll(async () => {
    client.close();
    await proxy.close();
    await fleet.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const aborted = (): AbortSignal => AbortSignal.abort(new Error('cancelled'));
  const abortedSoon = (): AbortSignal => {
    const controller = new AbortController();
    setImmediate(() => controller.abort(new Error('cancelled')));
    return controller.signal;
  };

  it.each([
    ['at once', aborted],
    ['while waited for', abortedSoon],
  ])('is left when the work ends %s', async (_, signal) => {
    await expect(client.run('true', { signal: signal() })).rejects.toThrow('cancelled');
    await expect(client.dial('127.0.0.1', 1, signal())).rejects.toThrow('cancelled');
    const looking = httpHealth('http://127.0.0.1:1/', client, { answerMs: 9000, signal: signal() });
    await expect(looking).rejects.toThrow('cancelled');
  });

  it('is not healthy when the time for its answer is over', async () => {
    const limits = { answerMs: 50, signal: new AbortController().signal };
    expect(await httpHealth('http://127.0.0.1:1/', client, limits)).toBe(
      'http://127.0.0.1:1/ did not answer within 0.05 s',
    );
  });

  it('is given up after a time, and a channel that comes then is closed', async () => {
    const channel = new PassThrough();
    let opened: ((error: undefined, channel: PassThrough) => void) | undefined;
    const opening = openChannel<PassThrough>((callback) => (opened = callback), undefined, 1);
    await expect(opening).rejects.toThrow(CouldNotTellError);
    opened?.(undefined, channel);
    expect(channel.destroyed).toBe(true);
  });

  it('waiting for a connection ends with the work', async () => {
    const pool = createConnectionPool({ maxConnecting: 1 });
    const use = async (): Promise<void> => {};
    const access = { connection: connection(), verifyHostKey: verify };
    const first = new AbortController();
    const connecting = pool.use({ ...access, signal: first.signal }, use);
    const second = pool.use({ ...access, signal: abortedSoon() }, use);
    await expect(second).rejects.toThrow('cancelled');
    proxy.heal();
    await connecting;
    await pool.use(access, use);
    pool.close();
  });
});
