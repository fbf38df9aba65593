import { VerdictError } from '@floy/domain';
import { findSshKeygen } from '@floy/local-servers/find-sshd';
import { startSshdFleet, type SshdFleet, type SshdHost } from '@floy/local-servers/sshd';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { createLoginKey } from './login-key.js';
import { connectSsh } from './ssh-client.js';

const describeHere = await needsSshd();
describeHere('a host that rests on old algorithms', () => {
  let folder: string;
  let fleet: SshdFleet;
  let rsaKey: string;
  let verified = 0;
  const verify = async (): Promise<void> => void (verified += 1);
  const host = (): SshdHost => fleet.hosts[0] as SshdHost;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'floy-old-'));
    fleet = await startSshdFleet({ folder, hosts: 1 });
    rsaKey = join(folder, 'rsa_key');
    execFileSync(findSshKeygen() ?? '', ['-q', '-t', 'rsa', '-b', '2048', '-N', '', '-f', rsaKey]);
    const authorized = join(folder, 'sshd-1', 'authorized_keys');
    await appendFile(authorized, await readFile(`${rsaKey}.pub`));
  });
  afterAll(async () => {
    await fleet.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const restarted = async (config: readonly string[]): Promise<void> => {
    await host().stop();
    await host().start({ config, hostKeyFile: rsaKey });
    verified = 0;
  };
  const logged = async (): Promise<string> => readFile(host().logFile, 'utf8');

  it.each([
    ['signs with SHA-1', ['HostKeyAlgorithms ssh-rsa'], 'HostKeyAlgorithms'],
    [
      'has MACs of SHA-1',
      ['Ciphers aes128-ctr', 'MACs hmac-sha1,hmac-sha1-etm@openssh.com'],
      'MACs',
    ],
    ['has MACs of MD5', ['Ciphers aes128-ctr', 'MACs hmac-md5'], 'MACs'],
    ['exchanges keys with SHA-1', ['KexAlgorithms diffie-hellman-group14-sha1'], 'KexAlgorithms'],
    ['has a group of 1024 bits', ['KexAlgorithms diffie-hellman-group1-sha1'], 'KexAlgorithms'],
    ['picks the group', ['KexAlgorithms diffie-hellman-group-exchange-sha1'], 'KexAlgorithms'],
    ['has ciphers of CBC', ['Ciphers aes256-cbc,3des-cbc'], 'Ciphers'],
    ['is open to Terrapin', ['Ciphers chacha20-poly1305@openssh.com'], 'Ciphers'],
  ])(
    'and %s is refused before anybody logs in, naming what is missing',
    async (_, config, name) => {
      await restarted(config);
      const before = (await logged()).length;
      const connecting = connectSsh({ ...host(), privateKey: fleet.privateKey }, verify);
      const error: Error = await connecting.then(
        () => new Error('it was let in'),
        (problem: Error) => problem,
      );
      expect(error).toBeInstanceOf(VerdictError);
      expect(error.message).toContain(`127.0.0.1:${host().port} offers no`);
      expect(error.message).toContain(`(${name}) that Floy accepts`);
      expect(verified).toBe(0);
      expect((await logged()).slice(before)).not.toMatch(/publickey|Accepted/);
    },
  );

  it('is logged in to with an RSA key, but not by a signature of SHA-1', async () => {
    const privateKey = await readFile(rsaKey, 'utf8');
    await restarted([]);
    const client = await connectSsh({ ...host(), privateKey }, verify);
    expect((await client.run('echo in')).stdout).toBe('in\n');
    client.close();
    await restarted(['PubkeyAcceptedAlgorithms ssh-rsa']);
    const connecting = connectSsh({ ...host(), privateKey }, verify);
    await expect(connecting).rejects.toThrow(VerdictError);
    const parsed = ssh2.utils.parseKey(privateKey);
    if (parsed instanceof Error) throw parsed;
    const login = createLoginKey(parsed);
    expect(login.key.sign('data', 'sha256')).toBeInstanceOf(Buffer);
    expect(login.refusal()).toBeUndefined();
    expect(login.key.sign('data', 'sha1')).toBeInstanceOf(Error);
    expect(login.refusal()).toContain('with SHA-1 only');
  });

  it('sees that Floy insists on the strict exchange of keys, as against Terrapin', async () => {
    const ident = 'SSH-2.0-OpenSSH_9.9\r\n';
    let heard = '';
    const kex = 'curve25519-sha256,kex-strict-s-v00@openssh.com';
    const lists = [kex, 'ssh-ed25519', ...Array(2).fill('aes128-gcm@openssh.com')];
    const rest = [...Array(2).fill('hmac-sha2-256'), 'none', 'none', '', ''];
    const words = [...lists, ...rest].flatMap((list: string) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(list.length);
      return [length, Buffer.from(list)];
    });
    const keys = packet(
      Buffer.concat([Buffer.from([20]), Buffer.alloc(16), ...words, Buffer.alloc(5)]),
    );
    // What a man in the middle adds, so that a later packet can be dropped unseen.
    const added = packet(Buffer.from([2, 0, 0, 0, 0]));
    const server = createServer((socket: Socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        if (heard.includes('kex-strict')) return;
        heard += chunk.toString('latin1');
        if (heard.includes('kex-strict')) socket.write(Buffer.concat([added, keys]));
      });
      socket.write(ident);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const connecting = connectSsh({ ...host(), port, privateKey: fleet.privateKey }, verify);
    await expect(connecting).rejects.toThrow('KEXINIT not first packet in strict KEX mode');
    expect(heard).toContain('kex-strict-c-v00@openssh.com');
    expect(heard).not.toMatch(/sha1|md5|cbc|zlib/);
    server.close();
  });
});

/** A packet of the protocol before keys are exchanged. */
function packet(payload: Buffer): Buffer {
  const padding = 4 + ((8 - ((payload.length + 9) % 8)) % 8);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(payload.length + padding + 1);
  head[4] = padding;
  return Buffer.concat([head, payload, Buffer.alloc(padding)]);
}
