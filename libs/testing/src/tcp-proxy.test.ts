import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';
import { waitFor } from './wait-for.js';

let echo: Server;
let proxy: TcpProxy;
const open: Socket[] = [];

/** A connection through the proxy that keeps what it hears. */
async function client(): Promise<{ socket: Socket; heard: () => string }> {
  const socket = connect(proxy.port, '127.0.0.1');
  open.push(socket);
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.on('error', () => undefined);
  await once(socket, 'connect').catch(() => undefined);
  return { socket, heard: () => text };
}

beforeEach(async () => {
  echo = createServer((socket) => void socket.on('error', () => undefined).pipe(socket));
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const address = echo.address();
  proxy = await startTcpProxy({
    host: '127.0.0.1',
    port: typeof address === 'object' && address ? address.port : 0,
  });
});
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await proxy.close();
  echo.close();
});

describe('a proxy for faults', () => {
  it('lets through what comes and the end', async () => {
    const { socket, heard } = await client();
    socket.write('hello ');
    socket.end('world');
    await once(socket, 'close');
    expect(heard()).toBe('hello world');
    expect(new URL(proxy.through('postgres://u:p@db:5432/x')).port).toBe(String(proxy.port));
  });

  it('cuts and refuses until healed', async () => {
    const { socket } = await client();
    await waitFor('the proxy to have the connection', () => proxy.connections === 1);
    proxy.cut();
    await waitFor('the reset', () => socket.closed);
    const refused = await client();
    await waitFor('the refusal', () => refused.socket.closed);
    proxy.heal();
    const { socket: next, heard } = await client();
    next.write('again');
    await waitFor('the echo', () => heard() === 'again');
  });

  it('drops in silence, and what was held comes when healed', async () => {
    const { socket, heard } = await client();
    socket.write('a');
    await waitFor('the echo', () => heard() === 'a');
    proxy.drop();
    socket.write('b');
    const other = await client();
    other.socket.write('c');
    await waitFor('both to be connected', () => proxy.connections === 2);
    expect([heard(), other.heard()]).toEqual(['a', '']);
    proxy.heal();
    await waitFor('what was held', () => heard() === 'ab' && other.heard() === 'c');
  });

  it('delays without changing the order', async () => {
    const { socket, heard } = await client();
    proxy.delay(60);
    const began = performance.now();
    socket.write('slow ');
    await waitFor('the delay to be over', () => performance.now() - began > 20);
    proxy.delay(0);
    socket.write('fast');
    await waitFor('the echo', () => heard() === 'slow fast');
    expect(performance.now() - began).toBeGreaterThanOrEqual(60);
  });
});
