import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHttpApp } from './http-app.js';
import type { Reply, Route } from './http-route.js';

const logged: object[] = [];
let server: Server;
let reply: Reply;

beforeEach(async () => {
  logged.length = 0;
  const route = { method: 'GET', path: '/it', status: 200 } as Route<undefined>;
  const app = createHttpApp<undefined, undefined>({
    routes: [route],
    basePath: '',
    log: { info: () => undefined, error: (fields) => void logged.push(fields) },
    shutdown: new AbortController().signal,
    authorize: async () => undefined,
    run: async () => reply,
  });
  server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.close();
});

const ask = () => fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/it`);

describe('an answer that fails after it has begun', () => {
  it('is cut off, and the reason is in the log', async () => {
    const failing = function* () {
      yield Buffer.from('half');
      throw new Error('the disk went away');
    };
    reply = {
      file: { type: 'text/plain', name: 'it', size: 8, open: () => Readable.from(failing()) },
    };
    const answer = await ask();
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow();
    expect(logged).toEqual([
      {
        request_id: answer.headers.get('x-request-id'),
        err: expect.objectContaining({ message: 'the disk went away' }),
        method: 'GET',
        path: '/it',
      },
    ]);
  });
});
