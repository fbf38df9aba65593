import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { UnavailableError } from '@floy/domain';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres, needsRedis } from '@floy/testing/needs';
import { startTestRedis, type TestRedis } from '@floy/testing/redis';
import { createPublisher } from './publisher.js';
import { createQueueBackend } from './queue-backend.js';

const describeOnRedis = await needsRedis();
const describeOnPostgres = await needsPostgres();

describe('a queue that cannot be reached', () => {
  let port: number;
  beforeAll(async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
    await new Promise((resolve) => server.close(resolve));
  });

  it.each(['redis', 'postgres'])('is UnavailableError to whoever asks: %s', async (scheme) => {
    const backend = createQueueBackend(`${scheme}://127.0.0.1:${port}/floy`);
    const publisher = createPublisher(backend);
    const messages = [{ id: 'msg_1', kind: 'deployment-ended', claims: 0 } as const];
    await expect(backend.check()).rejects.toThrow(UnavailableError);
    await expect(publisher.publish(messages)).rejects.toThrow(UnavailableError);
    expect(await backend.reachable()).toBe(false);
    await publisher.close();
    await backend.close();
  });
});

describe('a Postgres that dies as soon as it has let somebody in', () => {
  /** A message of Postgres' protocol. */
  const message = (type: string, body: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length + 4);
    return Buffer.concat([Buffer.from(type), length, body]);
  };
  const fields = 'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to unexpected exit\0\0';
  const welcome = Buffer.concat([
    message('R', Buffer.alloc(4)),
    message('Z', Buffer.from('I')),
    message('E', Buffer.from(fields)),
  ]);

  it('is away, and ends nobody', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      // All in one piece: the end is read before anybody can ask.
      socket.once('data', () => socket.end(welcome));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const backend = createQueueBackend(`postgres://floy@127.0.0.1:${port}/floy`);
    await expect(backend.check()).rejects.toThrow(UnavailableError);
    await backend.close();
    await new Promise((resolve) => server.close(resolve));
  });
});

describeOnRedis('a Redis that answers no', () => {
  let redis: TestRedis;
  beforeAll(async () => void (redis = await startTestRedis()));
  afterAll(() => redis.stop());

  it('is an error of the settings, not an outage', async () => {
    const url = new URL(redis.url);
    [url.username, url.password] = ['nobody', 'not the one'];
    const refusal: unknown = await createQueueBackend(url.href)
      .check()
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ name: 'ReplyError' });
  });
});

describeOnPostgres('a Postgres that answers no', () => {
  let own: TestDatabase;
  beforeAll(async () => void (own = await createTestDatabase('empty')));
  afterAll(() => own.drop());

  it('is an error of the settings, not an outage', async () => {
    const url = new URL(own.url);
    url.pathname = '/there_is_none';
    const backend = createQueueBackend(url.href);
    await expect(backend.check()).rejects.toMatchObject({ code: '3D000' });
    await backend.close();
  });
});
