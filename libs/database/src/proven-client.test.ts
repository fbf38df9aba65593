import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { serverAt } from '@floy/testing/server-at';
import { startTcpProxy } from '@floy/testing/tcp-proxy';
import { waitFor } from '@floy/testing/wait-for';
import { nudgeChannel } from './after-commit.js';
import { createDatabase } from './database.js';
import { createListener } from './listener.js';
import { migrate } from './migrate.js';

const password = 'the-password-nobody-gets';

/** A message of Postgres' protocol. */
function message(type: string, ...body: (number | string)[]): Buffer {
  const parts = body.map((part) => {
    if (typeof part === 'string') return Buffer.from(part);
    const number = Buffer.alloc(4);
    number.writeInt32BE(part);
    return number;
  });
  const length = Buffer.alloc(4);
  length.writeInt32BE(Buffer.concat(parts).length + 4);
  return Buffer.concat([Buffer.from(type), length, ...parts]);
}

const letIn = Buffer.concat([message('R', 0), message('Z', 'I')]);
const clearText = message('R', 3);
const md5 = message('R', 5, 'salt');
const scram = message('R', 10, 'SCRAM-SHA-256\0\0');

let server: Server;
let heard: Buffer;
afterEach(() => new Promise((resolve) => server.close(resolve)));

/** A server that says these things, one for each time that it hears something. */
async function hostile(says: readonly Buffer[], secure?: { key: Buffer; cert: Buffer }) {
  heard = Buffer.alloc(0);
  const talk = (socket: Socket): void => {
    const left = [...says];
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
      socket.write(left.shift() ?? '');
    });
  };
  server = createServer((socket) => {
    if (!secure) return talk(socket);
    socket.once('data', () => {
      socket.write('S');
      talk(new TLSSocket(socket, { isServer: true, ...secure }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return `postgres://floy:${password}@localhost:${port}/floy`;
}

async function ask(url: string): Promise<unknown> {
  const database = createDatabase({ url, applicationName: 'test', poolSize: 1 });
  try {
    return await database.knex.raw('SELECT 1');
  } finally {
    await database.close();
  }
}

describe('a hostile Postgres', () => {
  it.each([
    ['asks for the password in clear', [clearText, letIn], 'in a form that can be stolen'],
    ['asks for its MD5, to be broken at home', [md5, letIn], 'in a form that can be stolen'],
    ['falls back from SCRAM to clear text', [scram, clearText], 'in a form that can be stolen'],
    ['asks for nothing, to be believed', [letIn], 'without proof'],
    ['ends SCRAM before its own proof', [scram, letIn], 'without proof'],
    ['asks in one breath and goes on', [Buffer.concat([clearText, letIn])], 'that can be stolen'],
    ['forges the end of SCRAM', [scram, Buffer.concat([message('R', 12, 'v=x'), letIn])], 'SASL'],
  ])('that %s gets no password and no query', async (_, says, why) => {
    const url = await hostile(says);
    await expect(ask(url)).rejects.toThrow(why);
    expect(heard.toString('latin1')).not.toContain(password);
    expect(heard.toString('latin1')).not.toContain('SELECT');
    expect(heard.toString('latin1')).not.toMatch(/md5[0-9a-f]{32}/);
  });

  it('gets none from a migration and none from who listens for nudges', async () => {
    const url = await hostile([clearText, letIn]);
    await expect(migrate(url)).rejects.toThrow('in a form that can be stolen');
    const errors: string[] = [];
    const listener = createListener(url, ({ message: said }) => errors.push(said));
    await waitFor('its refusal', () => errors.some((said) => said.includes('can be stolen')));
    await listener.close();
    expect(heard.toString('latin1')).not.toContain(password);
  });

  it.each([
    ['a way to log in that nobody knows', message('R', 99)],
    ['a row that is cut off', message('D', '\0\t')],
    ['columns that are cut off', message('T', '\x7f\x7f')],
    ['a key that is cut off', message('K', 'k')],
  ])('that sends %s does not end the process', async (_, says) => {
    const url = await hostile([says]);
    await expect(ask(url)).rejects.toThrow();
  });

  describe('behind TLS', () => {
    let folder: string;
    let secure: { key: Buffer; cert: Buffer };
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'floy-tls-'));
      const made = spawnSync('openssl', [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
        ...['-nodes', '-days', '1', '-subj', '/CN=localhost'],
        ...['-addext', 'subjectAltName=DNS:localhost'],
        ...['-keyout', join(folder, 'key'), '-out', join(folder, 'cert')],
      ]);
      expect(made.status).toBe(0);
      secure = {
        key: readFileSync(join(folder, 'key')),
        cert: readFileSync(join(folder, 'cert')),
      };
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    const welcome = Buffer.concat([letIn, message('C', 'SELECT 0\0'), message('Z', 'I')]);

    it('gets none with a certificate that nobody has signed', async () => {
      const url = await hostile([clearText, welcome], secure);
      await expect(ask(`${url}?sslmode=require`)).rejects.toThrow('self-signed');
      await expect(ask(`${url}?sslmode=no-verify`)).rejects.toThrow('that can be stolen');
      expect(heard.toString('latin1')).not.toContain(password);
    });

    it('is not hostile with a certificate that is right: it may ask for clear text', async () => {
      const url = await hostile([clearText, letIn, welcome], secure);
      const ca = `sslmode=verify-full&sslrootcert=${encodeURIComponent(join(folder, 'cert'))}`;
      await ask(`${url}?${ca}`).catch(() => undefined);
      expect(heard.toString('latin1')).toContain(password);
    });

    it('cannot talk anybody out of TLS', async () => {
      const url = await hostile([Buffer.from('N'), clearText]);
      await expect(ask(`${url}?sslmode=require`)).rejects.toThrow('does not support SSL');
      expect(heard.toString('latin1')).not.toContain(password);
    });
  });
});

const describeHere = await needsPostgres();

describeHere('a Postgres that knows the password', () => {
  it('does not end a process by notices that are none of Floy’s', async () => {
    const own = await createTestDatabase();
    server = createServer().listen(0);
    let woken = 0;
    const errors: string[] = [];
    const listener = createListener(own.url, (error) => errors.push(error.message));
    listener.on('stream', 'd1', () => (woken += 1));
    await waitFor('it to listen', () => woken === 1);
    const says = ['x', '{}', '7', '[null]', '[1]', '', '[{"topic":"stream","id":"d1"}]'];
    for (const said of says) await own.query(`SELECT pg_notify('${nudgeChannel}', '${said}')`);
    await waitFor('the one that is', () => woken === 2);
    expect(errors).toEqual([]);
    await listener.close();
    await own.drop();
  });

  it('is asked over plain TCP as well, by SCRAM', async () => {
    const own = await createTestDatabase('empty');
    const proxy = await startTcpProxy(serverAt(own.url));
    server = createServer().listen(0);
    await expect(ask(proxy.through(own.url))).resolves.toMatchObject({ rowCount: 1 });
    await proxy.close();
    await own.drop();
  });
});
