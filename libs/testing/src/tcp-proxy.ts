import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerAt } from './server-at.js';

/** A way to a server that can be disturbed: what a network does, between two ends that are well. */
export interface TcpProxy {
  /** Where to connect instead of the server, on 127.0.0.1. */
  readonly port: number;
  /** How many connections are open now. */
  readonly connections: number;
  /** The address of the server behind, with the proxy's host and port in it. */
  through(url: string): string;
  /** Resets every connection; new ones are refused until `heal`. */
  cut(): void;
  /** Lets nothing through in either direction, closing nothing, until `heal`. */
  drop(): void;
  /** Holds every piece back for this long, in both directions. */
  delay(milliseconds: number): void;
  /** Resets every connection once; new ones are served. */
  reset(): void;
  /** Ends `cut`, `drop` and `delay`; what was held by `drop` goes on. */
  heal(): void;
  close(): Promise<void>;
}

/** Starts a proxy to a server, on a port whether or not the server is on one. */
export async function startTcpProxy(target: ServerAt): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let mode: 'open' | 'cut' | 'drop' = 'open';
  let delayMs = 0;

  // Only TCP knows a reset; a socket of this machine is just closed.
  const reset = (socket: Socket): void =>
    void (socket.remoteAddress === undefined ? socket.destroy() : socket.resetAndDestroy());
  const resetAll = (): void => {
    for (const socket of sockets) reset(socket);
  };
  const keep = (socket: Socket): void => {
    sockets.add(socket.setNoDelay(true));
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    if (mode === 'drop') socket.pause();
  };

  function pump(from: Socket, to: Socket): void {
    let held = 0;
    let tail = Promise.resolve();
    // One after the other, so that a delay that ends does not let later bytes overtake.
    const send = (act: () => void): void => {
      if (delayMs === 0 && held === 0) return act();
      const due = performance.now() + delayMs;
      held += 1;
      tail = tail
        .then(() => sleep(Math.max(0, due - performance.now())))
        .then(() => {
          held -= 1;
          act();
        });
    };
    from.on('data', (chunk) =>
      send(() => {
        if (to.destroyed || to.write(chunk)) return;
        from.pause();
        to.once('drain', () => mode !== 'drop' && from.resume());
      }),
    );
    from.on('end', () => send(() => to.end()));
    from.on('close', (failed) => send(() => (failed ? reset(to) : to.destroySoon())));
  }

  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (mode === 'cut') return void client.resetAndDestroy();
    const upstream = connect({ ...target, allowHalfOpen: true });
    for (const socket of [client, upstream]) keep(socket);
    pump(client, upstream);
    pump(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');

  return {
    port: address.port,
    get connections() {
      return Math.floor(sockets.size / 2);
    },
    through(url) {
      const changed = new URL(url);
      changed.hostname = '127.0.0.1';
      changed.port = String(address.port);
      return changed.href;
    },
    cut() {
      mode = 'cut';
      resetAll();
    },
    drop() {
      mode = 'drop';
      for (const socket of sockets) socket.pause();
    },
    delay(milliseconds) {
      delayMs = milliseconds;
    },
    reset: resetAll,
    heal() {
      mode = 'open';
      delayMs = 0;
      for (const socket of sockets) socket.resume();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
