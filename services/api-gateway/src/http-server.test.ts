import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { listen } from './http-server.js';

describe('listen', () => {
  it('is closed at once beside a connection that was opened ahead of need', async () => {
    const server = await listen((_, response) => response.end(), '127.0.0.1', 0);
    const { port, hostname } = new URL(server.address);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    // Connections are accepted in order: the server has the first when it answers the second.
    await (await fetch(server.address)).text();
    const ended = once(socket.resume(), 'close');
    const began = performance.now();
    await server.close();
    expect(performance.now() - began).toBeLessThan(2000);
    await ended;
  });

  it('lets an answer in work end, and then its connection', async () => {
    let release = (): void => {};
    let asked = (): void => {};
    const inWork = new Promise<void>((resolve) => (asked = resolve));
    const server = await listen(
      (_, response) => {
        release = () => response.end('whole');
        asked();
      },
      '127.0.0.1',
      0,
    );
    const answer = fetch(server.address);
    await inWork;
    const closed = server.close();
    release();
    expect(await (await answer).text()).toBe('whole');
    await closed;
  });
});
