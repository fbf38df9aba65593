import { messageOf, VerdictError } from '@floy/domain';
import { needsSshd } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ServerChannel } from 'ssh2';
import { failure, type HostFixture, startHostFixture, textOf } from '../../testing/host-fixture.js';
import {
  type HostileHost,
  type HostileWays,
  type RawProtocol,
  sendPacket,
  sshString,
  startHostileHost,
  writeWithoutEnd,
} from '../ssh/hostile-host.fixture.js';
import type { HostWork } from './host-work.js';
import { createHosts, type Hosts } from './hosts.js';
import { seeHealth } from './look-at-health.js';
import { releasesOn } from './observe-host.js';
import { pruneHost } from './prune-host.js';
import { runOnHost } from './run-on-host.js';
import { stageHost } from './stage-host.js';
import { stopHost } from './stop-host.js';
import { switchHost } from './switch-host.js';

const describeHere = await needsSshd();

/** More than any of these attacks makes the process keep. */
const MOST_GROWTH = 50 * 1024 * 1024;
const ADDRESS = /\w+@127\.0\.0\.1:\d+/;

describeHere('a hostile host', () => {
  let fixture: HostFixture;
  let hostKey: string;
  let hosts: Hosts;
  let hostile: HostileHost | undefined;
  beforeAll(async () => {
    fixture = await startHostFixture({ hosts: 1 });
    hostKey = await readFile(join(fixture.folder, 'sshd-1', 'host_key'), 'utf8');
  });
  afterEach(async () => {
    hosts.close();
    await hostile?.stop();
  });
  afterAll(() => fixture.stop());

  const attackedBy = async (ways: HostileWays): Promise<HostWork> => {
    hosts = createHosts();
    hostile = await startHostileHost(hostKey, ways);
    const work = fixture.work();
    return { ...work, connection: { ...work.connection, port: hostile.port } };
  };
  /** What the process holds, of its own heap and beside it. */
  const held = (): number => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  /** The error with which work on the host ends, once the connection is closed. */
  const failed = async (attacked: (work: HostWork) => Promise<unknown>, work: HostWork) => {
    const before = held();
    const error = await failure(attacked(work));
    expect(held() - before).toBeLessThan(MOST_GROWTH);
    expect(error).toBeInstanceOf(VerdictError);
    expect(error.message).toMatch(ADDRESS);
    expect(hosts.pool.open()).toBe(0);
    return error.message;
  };
  const mark = (nonce: string, text: string): string => `\x1e${nonce} ${text}\n`;
  const release = () => fixture.release(fixture.deployPath());

  it('that says endless words is left by name, while another beside it goes on', async () => {
    let count = 0;
    const work = await attackedBy({
      shell: (channel, nonce) => {
        channel.write(mark(nonce, 'start'));
        writeWithoutEnd(channel, () => {
          count += 1;
          return `${'x'.repeat(16_000)}\n${mark(nonce, `word-${count}`)}`;
        });
      },
    });
    const deployPath = fixture.deployPath();
    const honest = await fixture.release(deployPath);
    const beside = (async () => {
      const own = fixture.work();
      await stageHost(hosts, own, honest);
      await switchHost(hosts, own, honest, { runPreSwitch: false });
      hosts.pool.drop(own.connection);
    })();
    const asked = await release();
    const error = await failure(seeHealth(hosts, work, asked));
    expect(error).toBeInstanceOf(VerdictError);
    expect(error.message).toMatch(ADDRESS);
    expect(error.message).toContain('a word that the script does not have');
    await beside;
    expect(await textOf(deployPath, 'ledger')).toBe('restart v1\n');
    expect(hosts.pool.open()).toBe(0);
    expect(count).toBeLessThan(1000);
  });

  it.each<[string, string, (work: HostWork) => Promise<unknown>]>([
    ['endless releases', 'release', (work) => releasesOn(hosts, work, '/srv/app')],
    ['endless removed releases', 'removed', (work) => pruneHost(hosts, work, '/srv/app', [])],
    ['endless steps that were stopped', 'stopped', (work) => stopHost(hosts, work, '/srv/app')],
    ['endless steps that live on', 'alive', (work) => stopHost(hosts, work, '/srv/app')],
    ['endless refusals', 'refused', (work) => releasesOn(hosts, work, '/srv/app')],
    ['endless looks', 'current', async (work) => seeHealth(hosts, work, await release())],
    [
      'a step that begins endlessly',
      'running',
      async (work) => stageHost(hosts, work, await release()),
    ],
    ['endless answers', 'complete', async (work) => stageHost(hosts, work, await release())],
  ])('that tells of %s is left by name', async (_, word, attacked) => {
    let count = 0;
    const work = await attackedBy({
      shell: (channel, nonce) => {
        channel.write(mark(nonce, 'start'));
        writeWithoutEnd(channel, () => mark(nonce, `${word} ${(count += 1)} ${'y'.repeat(3000)}`));
      },
    });
    expect(await failed(attacked, work)).toMatch(/too often|more than 1 MiB|does not have/);
  });

  it('that prints without end is left by name, on either stream', async () => {
    for (const which of ['stdout', 'stderr'] as const) {
      const work = await attackedBy({
        shell: (channel, nonce) => {
          channel.write(mark(nonce, 'start'));
          channel.stderr.write(mark(nonce, 'start'));
          const line = mark('0'.repeat(32), 'z'.repeat(100_000)).repeat(10);
          writeWithoutEnd(which === 'stdout' ? channel : channel.stderr, () => line);
        },
      });
      const options = { timeoutSeconds: 100 };
      const error = await failed((own) => runOnHost(hosts, own, 'yes', options), work);
      expect(error).toContain('printed more than');
      hosts.close();
      await hostile?.stop();
    }
  }, 60_000);

  it.each<[string, (protocol: Parameters<typeof sendPacket>[0]) => Buffer]>([
    // Each of these is answered, and what it is answered with is kept until that was answered.
    [
      'keys to prove',
      () => {
        const key = sshString(
          Buffer.concat([sshString('ssh-ed25519'), sshString(Buffer.alloc(32, 9))]),
        );
        const name = sshString('hostkeys-00@openssh.com');
        return Buffer.concat([Buffer.from([80]), name, Buffer.from([0]), key]);
      },
    ],
    ['requests', () => Buffer.concat([Buffer.from([80]), sshString('ping@x'), Buffer.from([1])])],
    [
      'debug output',
      () => Buffer.concat([Buffer.from([4, 1]), sshString('x'.repeat(9999)), sshString('')]),
    ],
    [
      'channels to open',
      () => {
        const numbers = Buffer.alloc(12, 1);
        const from = Buffer.concat([sshString('here'), Buffer.alloc(4, 1)]);
        return Buffer.concat([Buffer.from([90]), sshString('x11'), numbers, from]);
      },
    ],
  ])('that sends endless %s is left by name', async (_, packet) => {
    const work = await attackedBy({
      shell: (channel, nonce, protocol) => {
        channel.write(mark(nonce, 'start'));
        const flood = (): void => {
          for (let n = 0; n < 500; n += 1) {
            if (channel.destroyed) return;
            sendPacket(protocol, packet(protocol));
          }
          setImmediate(flood);
        };
        flood();
      },
    });
    const attacked = (own: HostWork): Promise<unknown> => releasesOn(hosts, own, '/srv/app');
    expect(await failed(attacked, work)).toContain('that nothing asked for');
  });

  /** A packet of output; `text` may be none. */
  const output = ({ outgoing }: ServerChannel, text: string): Buffer => {
    const id = Buffer.alloc(4);
    id.writeUInt32BE((outgoing as unknown as { id: number }).id);
    return Buffer.concat([Buffer.from([94]), id, sshString(text)]);
  };
  const socketOf = (connection: unknown): Socket => (connection as { _sock: Socket })._sock;
  /** Sends these again and again, as far as they are taken: the host is in this process too. */
  const sendWithoutEnd = (
    channel: ServerChannel,
    { protocol, socket }: { protocol: RawProtocol; socket: Socket | undefined },
    packets: readonly Buffer[],
  ): void => {
    const isTaken = (): boolean => (socket?.writableLength ?? 0) < 1024 * 1024;
    const flood = (): void => {
      for (let n = 0; n < 500 && !channel.destroyed && isTaken(); n += 1)
        for (const packet of packets) sendPacket(protocol, packet);
      if (!channel.destroyed) setImmediate(flood);
    };
    flood();
  };

  it('that sends endless output without a letter is left by name', async () => {
    let socket: Socket | undefined;
    const work = await attackedBy({
      connected: (_, connection) => void (socket = socketOf(connection)),
      shell: (channel, nonce, protocol) => {
        channel.write(mark(nonce, 'start'));
        sendWithoutEnd(channel, { protocol, socket }, [output(channel, '')]);
      },
    });
    const attacked = (own: HostWork): Promise<unknown> => releasesOn(hosts, own, '/srv/app');
    expect(await failed(attacked, work)).toContain('that nothing asked for');
  });

  it('that asks without end, as it pays by output, and reads no answer is left by name', async () => {
    let socket: Socket | undefined;
    const work = await attackedBy({
      connected: (_, connection) => void (socket = socketOf(connection)),
      shell: (channel, nonce, protocol) => {
        socket?.pause();
        channel.write(mark(nonce, 'start'));
        const ask = Buffer.concat([Buffer.from([80]), sshString('p'), Buffer.from([1])]);
        sendWithoutEnd(channel, { protocol, socket }, [output(channel, 'x'), ask, ask]);
      },
    });
    const attacked = (own: HostWork): Promise<unknown> => releasesOn(hosts, own, '/srv/app');
    expect(await failed(attacked, work)).toContain('does not take the answers');
  }, 30_000);

  it('that begins to exchange keys and never ends is not sent an upload into memory', async () => {
    let taken = 0;
    let stopReading = (): void => undefined;
    const work = await attackedBy({
      connected(protocol, connection) {
        stopReading = () => void socketOf(connection).pause();
        const confirm = protocol.channelOpenConfirm.bind(protocol);
        protocol.channelOpenConfirm = (theirs, ours, _, size) =>
          confirm(theirs, ours, 0x7fff_ffff, size);
      },
      shell: (channel, nonce, protocol) => {
        channel.write(`${mark(nonce, 'start')}${mark(nonce, 'send')}`);
        const names = [
          'curve25519-sha256',
          'ssh-ed25519',
          ...Array(2).fill('aes128-gcm@openssh.com'),
        ];
        const lists = [...names, 'hmac-sha2-256', 'hmac-sha2-256', 'none', 'none', '', ''];
        const start = Buffer.concat([Buffer.from([20]), Buffer.alloc(16, 1)]);
        stopReading();
        sendPacket(protocol, Buffer.concat([start, ...lists.map(sshString), Buffer.alloc(5)]));
      },
    });
    const size = 256 * 1024 * 1024;
    const input = {
      size,
      open: () =>
        new Readable({
          read() {
            taken += 65_536;
            this.push(taken > size ? null : Buffer.alloc(65_536));
          },
        }),
    };
    await hosts.pool.use(work, async (client) => {
      const run = client.run('true', { input, timeoutMs: 3000 });
      await expect(run).rejects.toThrow('No answer');
    });
    expect(taken).toBeLessThan(16 * 1024 * 1024);
  }, 30_000);

  it('that prints without end once its script is over is left by name', async () => {
    const work = await attackedBy({
      shell: (channel, nonce) => {
        for (const stream of [channel, channel.stderr])
          stream.write(`${mark(nonce, 'start')}${mark(nonce, 'done 0')}`);
        writeWithoutEnd(channel, () => 'x'.repeat(32_000));
      },
    });
    let left: AbortSignal | undefined;
    await hosts.pool.use(work, async (client) => {
      expect((await client.run('true')).code).toBe(0);
      left = client.ended;
    });
    await waitFor('it to be left', async () => left?.aborted);
    expect(messageOf(left?.reason)).toMatch(ADDRESS);
    expect(messageOf(left?.reason)).toContain('while nothing ran');
    expect(hosts.pool.open()).toBe(0);
  });

  it('that takes packets of no bytes does not stop the process', async () => {
    const work = await attackedBy({
      connected(protocol) {
        const confirm = protocol.channelOpenConfirm.bind(protocol);
        protocol.channelOpenConfirm = (theirs, ours, window) => confirm(theirs, ours, window, 0);
      },
    });
    const attacked = (own: HostWork): Promise<unknown> => releasesOn(hosts, own, '/srv/app');
    expect(await failed(attacked, work)).toContain('takes packets of 0 bytes only');
  });

  it('that asks for signature after signature gets three', async () => {
    const work = await attackedBy({
      login(protocol, { algo, data, signed }) {
        const again = Buffer.concat([Buffer.from([60]), sshString(algo), sshString(data)]);
        for (let n = 0; signed && n < 50; n += 1) sendPacket(protocol, again);
        return !signed;
      },
    });
    const attacked = (own: HostWork): Promise<unknown> => releasesOn(hosts, own, '/srv/app');
    expect(await failed(attacked, work)).toContain('more than 3 signatures');
  });

  it('that greets without end is left by name', async () => {
    const work = await attackedBy({
      greet: (socket) => writeWithoutEnd(socket, () => `${'g'.repeat(5000)}\r\n`),
    });
    const attacked = (own: HostWork): Promise<unknown> => releasesOn(hosts, own, '/srv/app');
    expect(await failed(attacked, work)).toContain('sent more than 65536 bytes');
  });
});
