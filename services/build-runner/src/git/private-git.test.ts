import { VerdictError } from '@floy/domain';
import { startSshdFleet } from '@floy/local-servers/sshd';
import { findPrograms } from '@floy/local-servers/find-program';
import { needs, needsSshd } from '@floy/testing/needs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PackageRules } from '../package/package-address.js';
import { createSandbox, type Sandbox } from '../sandbox/sandbox.js';
import { TEST_USERS } from '../sandbox/users.fixture.js';
import { checkout } from './checkout.js';
import { openGuardedProxy } from './guarded-proxy.js';
import { makeRepository, startGitServer, type GitServer } from './repository.fixture.js';

const [openssl] = findPrograms('openssl', '');
const describeHttps = await needs('openssl', openssl, 'install openssl');
const describeSsh = await needsSshd();

const TOKEN = 'sentinel-token';
let root: string;
let sandbox: Sandbox;
let commit: string;
/** Counts who comes by. */
let contacts = 0;
let silent: Server;
let port: number;
let count = 0;

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'floy-private-')));
  sandbox = await createSandbox({ users: TEST_USERS, unconfined: true });
  commit = await (await makeRepository(join(root, 'remote'))).commit({ file: 'x' });
});
afterAll(() => rm(root, { recursive: true, force: true }));
beforeEach(async () => {
  contacts = 0;
  silent = createServer((socket) => {
    contacts += 1;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  ({ port } = silent.address() as AddressInfo);
});
afterEach(() => void silent.close());

const rules = (hosts: string[], resolve?: PackageRules['resolve']): PackageRules => ({
  hosts: new Set(hosts),
  ...(resolve ? { resolve } : {}),
});
const loopback = async () => [{ address: '127.0.0.1', family: 4 }];
const fetch = (
  repository: string,
  addressRules: PackageRules,
  more: Partial<Parameters<typeof checkout>[0]> = {},
) =>
  checkout({
    ...{
      sandbox,
      repository,
      commit,
      gitTag: '',
      user: undefined,
      privateGit: false,
      addressRules,
    },
    knownHostsFile: join(root, 'known_hosts'),
    folder: join(root, `work-${(count += 1)}`),
    timeoutSeconds: 20,
    ...more,
  });

describe('git where FLOY_PRIVATE_GIT is no', () => {
  it.each([
    'https://127.0.0.1:PORT/a',
    'https://2130706433:PORT/a',
    'https://0x7f.1:PORT/a',
    'https://localhost:PORT/a',
    'https://[::ffff:127.0.0.1]:PORT/a',
    'ssh://git@127.0.0.1:PORT/a',
    'ssh://git@localhost:PORT/a',
    'ssh://git@2130706433:PORT/a',
    'ssh://git@[::ffff:127.0.0.1]:PORT/a',
    'git@localhost:a',
  ])('contacts nobody at a private address: %s', async (address) => {
    const failed = fetch(address.replace('PORT', String(port)), rules([]));
    await expect(failed).rejects.toThrow(VerdictError);
    await expect(failed).rejects.toThrow(/no public address/);
    expect(contacts).toBe(0);
  });

  it('contacts nobody by a name that has one public and one private address', async () => {
    const both = async () => [{ address: '1.1.1.1', family: 4 }, ...(await loopback())];
    for (const scheme of ['https', 'ssh']) {
      await expect(fetch(`${scheme}://git.invalid:${port}/a`, rules([], both))).rejects.toThrow(
        /127\.0\.0\.1, which is no public address/,
      );
    }
    expect(contacts).toBe(0);
  });

  it('is asked for the password of the proxy, so that nobody else uses it', async () => {
    const proxy = await openGuardedProxy(rules(['localhost']), 'it');
    const { port: ofProxy } = new URL(proxy.url);
    const socket = connect(Number(ofProxy), '127.0.0.1');
    socket.write(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: x\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 407/);
    socket.destroy();
    await proxy.close();
    expect(contacts).toBe(0);
  });
});

describeHttps('https where FLOY_PRIVATE_GIT is no', () => {
  let server: GitServer;
  beforeAll(async () => {
    server = await startGitServer(root, join(root, 'tls'), TOKEN);
  });
  afterAll(() => server.close());
  const access = () => ({ env: { GIT_SSL_CAINFO: server.certificate }, gitToken: TOKEN });

  it('fetches from a host that FLOY_PACKAGE_HOSTS names, by one look at its name', async () => {
    let looks = 0;
    const resolve = async () => {
      looks += 1;
      // Whoever asks again is led elsewhere.
      return looks === 1 ? loopback() : [{ address: '10.255.255.1', family: 4 }];
    };
    const { hostname } = new URL(server.origin);
    await expect(
      fetch(`${server.origin}/remote`, rules([hostname], resolve), access()),
    ).resolves.toMatchObject({ commit });
    expect(looks).toBeGreaterThan(0);
    expect(server.authorizations.length).toBeGreaterThan(0);
  });

  it('does not follow a redirect to a private address', async () => {
    const tls = {
      key: readFileSync(join(root, 'tls/key.pem')),
      cert: readFileSync(server.certificate),
    };
    const redirecting = createTlsServer(tls, (request, response) => {
      response.writeHead(302, { location: `https://127.0.0.1:${port}${request.url}` }).end();
    }).listen(0, '127.0.0.1');
    await once(redirecting, 'listening');
    const from = (redirecting.address() as AddressInfo).port;
    await expect(
      fetch(`https://localhost:${from}/remote`, rules(['localhost'], loopback), access()),
    ).rejects.toThrow(/127\.0\.0\.1, which is no public address/);
    expect(contacts).toBe(0);
    redirecting.close();
  });
});

describeSsh('ssh where FLOY_PRIVATE_GIT is no', () => {
  it('connects to the address that was looked at, and knows the host by its name', async () => {
    const fleet = await startSshdFleet({ folder: join(root, 'fleet'), hosts: 1 });
    const knownHostsFile = join(root, 'known_by_name');
    const at = fleet.hosts[0]?.port;
    // No resolver knows this name: a second look would find nothing.
    const repository = `ssh://${fleet.user}@git.invalid:${at}${join(root, 'remote')}`;
    await expect(
      fetch(repository, rules(['git.invalid'], loopback), {
        gitSshKey: fleet.privateKey,
        knownHostsFile,
      }),
    ).resolves.toMatchObject({ commit });
    expect(await readFile(knownHostsFile, 'utf8')).toMatch(`[git.invalid]:${at} `);
    await fleet.stop();
  });
});
