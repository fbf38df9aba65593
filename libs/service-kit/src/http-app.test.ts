import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createHttpApp } from './http-app.js';
import type { Reply, Route } from './http-route.js';

const logged: object[] = [];
const answered: string[] = [];
let streams = 0;
let server: Server;
let reply: Reply;

beforeEach(async () => {
  logged.length = 0;
  answered.length = 0;
  const routes = (['GET', 'POST'] as const).map(
    (method) => ({ method, path: '/it', status: 200, answer: {} }) as Route<undefined>,
  );
  const app = createHttpApp<undefined, undefined>({
    routes,
    basePath: '',
    log: {
      debug: (fields, message) => void answered.push(`debug ${said(fields)} ${message}`),
      info: (fields, message) => void answered.push(`info ${said(fields)} ${message}`),
      error: (fields) => void logged.push(fields),
    },
    streams: { inc: () => (streams += 1), dec: () => (streams -= 1) },
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

const ask = (path = '/it', init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, init);

function said(fields: object): string {
  const { method, path, status } = fields as { method: string; path: string; status: number };
  return `${method} ${path} ${status}`;
}

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

describe('the log of requests', () => {
  it('has changes and refusals at info, and what only reads at debug', async () => {
    reply = { body: {} };
    await ask();
    await ask('/it', { method: 'POST' });
    await ask('/nothing');
    await ask('/nothing', { method: 'DELETE' });
    expect(answered).toEqual([
      'debug GET /it 200 answered',
      'info POST /it 200 answered',
      'info GET /nothing 404 refused',
      'info DELETE /nothing 404 refused',
    ]);
  });
});

describe('streams of live events', () => {
  it('are counted while they are open', async () => {
    let end = (): void => undefined;
    reply = { stream: () => new Promise<void>((resolve) => (end = resolve)) };
    const answer = await ask();
    expect(streams).toBe(1);
    end();
    await answer.text();
    expect(streams).toBe(0);
  });
});
