import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { VerdictError } from '@floy/domain';
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchPackage } from './fetch-package.js';
import { packageAddress, packageHosts } from './package-address.js';
import { isPublicAddress } from './public-address.js';

/** What names of the attacker lead to. */
const names: Record<string, readonly string[]> = {
  'loopback.example': ['127.0.0.1'],
  'loopback6.example': ['::1'],
  'metadata.example': ['169.254.169.254'],
  'both.example': ['93.184.215.14', '127.0.0.1'],
  'both6.example': ['2606:2800:21f:cb07:6820:80da:af6b:8b2c', '::1'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'nat64.example': ['64:ff9b::7f00:1'],
  'zero.example': ['0.0.0.0'],
  'nowhere.example': [],
};

/** Ways to say this machine, its network or something else than https; PORT is a listener's. */
const refused = [
  // Other schemes, and addresses that only some parsers take for https.
  ...['http://127.0.0.1:PORT/p', 'http://93.184.215.14/p', 'ftp://127.0.0.1:PORT/p'],
  ...['file:///etc/passwd', 'file://localhost/etc/passwd', 'gopher://127.0.0.1:PORT/_INFO'],
  ...['redis://127.0.0.1:PORT/', 'dict://127.0.0.1:PORT/info', 'data:application/gzip;base64,H4s='],
  ...['unix:/var/run/docker.sock', 'javascript:fetch(1)', '//127.0.0.1:PORT/p', '/etc/passwd'],
  ...['127.0.0.1:PORT/p', 'https:127.0.0.1:PORT/p', 'https:/127.0.0.1:PORT/p', ''],
  ...['https:///127.0.0.1:PORT/p', 'https:\\\\127.0.0.1:PORT\\p', 'https://', 'https://:PORT/p'],
  ...[' https://127.0.0.1:PORT/p', 'https+http://127.0.0.1:PORT/p', 'https://127.0.0.1:99999/p'],
  // Line breaks and the like, for those who speak to a Redis.
  'https://127.0.0.1:PORT/\r\nSET x y\r\n',
  'https://127.0.0.1:PORT/p\nHost: other',
  'https://127.0.0.1\t:PORT/p',
  'https://127.0.0.1:PORT\\@93.184.215.14/p',
  'https://93.184.215.14\\@127.0.0.1:PORT/p',
  'https://127.0.0.1:PORT/\0',
  // Users, to hide the host.
  ...['https://93.184.215.14@127.0.0.1:PORT/p', 'https://user:word@127.0.0.1:PORT/p'],
  ...['https://user:word@93.184.215.14/p', 'https://:@127.0.0.1:PORT/p'],
  'https://93.184.215.14:443%40@127.0.0.1:PORT/p',
  'https://93.184.215.14#@127.0.0.1:PORT/p'.replace('#', '%23'),
  // This machine by IPv4, in every base and length.
  ...['https://127.0.0.1:PORT/p', 'https://127.0.0.2:PORT/p', 'https://127.255.255.254:PORT/p'],
  ...['https://127.1:PORT/p', 'https://127.0.1:PORT/p', 'https://2130706433:PORT/p'],
  ...['https://0x7f000001:PORT/p', 'https://0x7f.0.0.1:PORT/p', 'https://0X7F.1:PORT/p'],
  ...['https://017700000001:PORT/p', 'https://0177.0.0.1:PORT/p', 'https://0177.0x0.0.1:PORT/p'],
  ...[
    'https://00000177.00.00.01:PORT/p',
    'https://127.0.0.1.:PORT/p',
    'https://127。0。0。1:PORT/p',
  ],
  ...['https://①②⑦.0.0.1:PORT/p', 'https://１２７.0.0.1:PORT/p', 'https://%31%32%37.0.0.1:PORT/p'],
  ...['https://0:PORT/p', 'https://0.0.0.0:PORT/p', 'https://0x0:PORT/p', 'https://000:PORT/p'],
  // By IPv6, alone and around IPv4.
  ...['https://[::1]:PORT/p', 'https://[0:0:0:0:0:0:0:1]:PORT/p', 'https://[::]:PORT/p'],
  ...['https://[::ffff:127.0.0.1]:PORT/p', 'https://[::ffff:7f00:1]:PORT/p'],
  ...['https://[0:0:0:0:0:ffff:7f00:0001]:PORT/p', 'https://[::127.0.0.1]:PORT/p'],
  ...['https://[64:ff9b::127.0.0.1]:PORT/p', 'https://[64:ff9b:1::7f00:1]:PORT/p'],
  ...['https://[2002:7f00:1::]:PORT/p', 'https://[2001:0:7f00:1::]:PORT/p'],
  ...[
    'https://[::ffff:0:127.0.0.1]:PORT/p',
    'https://[fe80::1]:PORT/p',
    'https://[fe80::1%25lo]/p',
  ],
  ...['https://[fc00::1]/p', 'https://[fd12:3456:789a::1]/p', 'https://[fec0::1]/p'],
  ...['https://[ff02::1]/p', 'https://[fd00:ec2::254]/latest/meta-data/'],
  // Networks of one's own, and of the cloud.
  ...['https://10.0.0.1/p', 'https://172.16.0.1/p', 'https://172.31.255.255/p'],
  ...['https://192.168.1.1/p', 'https://100.64.0.1/p', 'https://169.254.169.254/latest/meta-data/'],
  ...['https://2852039166/latest/', 'https://0xa9fea9fe/', 'https://[::ffff:169.254.169.254]/'],
  ...[
    'https://192.0.0.192/',
    'https://198.18.0.1/',
    'https://224.0.0.1/',
    'https://255.255.255.255/',
  ],
  // Names.
  ...['https://localhost:PORT/p', 'https://LOCALHOST:PORT/p', 'https://localhost.:PORT/p'],
  ...Object.keys(names).map((name) => `https://${name}:PORT/p`),
];

const resolve = async (hostname: string): Promise<readonly LookupAddress[]> => {
  const known = names[hostname.replace(/\.$/, '')];
  if (!known) return lookup(hostname.replace(/\.$/, ''), { all: true });
  return known.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
};

describe('where a package may not come from', () => {
  let folder: string;
  let port: number;
  let connections = 0;
  const servers: Server[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'floy-package-'));
    for (const host of ['127.0.0.1', '::1']) {
      const server = createServer((socket) => {
        connections += 1;
        socket.destroy();
      });
      const listening = await new Promise<boolean>((done) => {
        server.once('error', () => done(false));
        server.listen(port ?? 0, host, () => done(true));
      });
      if (!listening) continue;
      ({ port } = server.address() as AddressInfo);
      servers.push(server);
    }
  });
  afterAll(async () => {
    for (const server of servers) await new Promise((done) => server.close(done));
    await rm(folder, { recursive: true, force: true });
  });

  it.each(refused)('%j is refused, and nothing is connected to', async (form) => {
    const fetching = fetchPackage({
      url: form.replaceAll('PORT', String(port)),
      rules: { hosts: new Set(), resolve },
      limits: { bytes: 1000, seconds: 10, idleSeconds: 5 },
      file: join(folder, 'package'),
      signal: new AbortController().signal,
    });
    await expect(fetching).rejects.toBeInstanceOf(VerdictError);
    expect(connections).toBe(0);
  });

  it('has as many forms as the list of attacks asks for', () => {
    expect(new Set(refused).size).toBeGreaterThanOrEqual(80);
  });
});

describe('where a package may come from', () => {
  const none = new Set<string>();
  it.each([
    ['https://93.184.215.14/p.tar.gz', '93.184.215.14'],
    ['https://[2606:2800:21f:cb07::1]/p', '2606:2800:21f:cb07::1'],
    ['https://172.15.255.255:8443/p', '172.15.255.255'],
    ['https://172.32.0.1/p', '172.32.0.1'],
    ['https://223.255.255.254/p', '223.255.255.254'],
  ])('%s is public', async (url, address) => {
    const found = await packageAddress(url, { hosts: none, resolve });
    expect(found.addresses.map((each) => each.address)).toEqual([address]);
  });

  it('is a private host only by name', async () => {
    const hosts = packageHosts('Packages.Internal, 10.1.2.3,[fd00::1],');
    const internal = async () => [{ address: '10.0.0.9', family: 4 }];
    const from = (url: string) => packageAddress(url, { hosts, resolve: internal });
    for (const url of ['https://packages.internal:8443/p', 'https://PACKAGES.internal./p'])
      expect((await from(url)).addresses).toEqual([{ address: '10.0.0.9', family: 4 }]);
    expect((await from('https://10.1.2.3/p')).hostname).toBe('10.1.2.3');
    expect((await from('https://[fd00:0::1]/p')).hostname).toBe('fd00::1');
    await expect(from('https://x.packages.internal/p')).rejects.toThrow('10.0.0.9');
    await expect(from('https://10.1.2.4/p')).rejects.toThrow('FLOY_PACKAGE_HOSTS');
    await expect(from('http://packages.internal/p')).rejects.toThrow('https');
  });

  it('is no text that is no address', () => {
    for (const text of ['', 'localhost', '93.184.215', '93.184.215.14 ', '2606::1%eth0'])
      expect(isPublicAddress(text)).toBe(false);
  });
});
