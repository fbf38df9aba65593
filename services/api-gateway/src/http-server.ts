import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A server that listens. */
export interface ListeningServer {
  /** Its base URL on this machine. */
  readonly address: string;
  /** Takes no more connections and ends when those in work are answered. */
  close(): Promise<void>;
}

/** How long requests in work may take after the server was asked to close. Milliseconds. */
const CLOSE_MS = 10_000;

/** Listens; bounds how long a client may take to say what it wants. */
export async function listen(
  handler: RequestListener,
  host: string,
  port: number,
): Promise<ListeningServer> {
  const server = createServer(
    { requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 65_000 },
    handler,
  );
  const connections = trackConnections(server);
  const endIdle = (): void => {
    for (const [socket, answers] of connections) if (answers === 0) socket.destroy();
  };
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = (server.address() as AddressInfo).port;
  const name = ['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host;
  return {
    address: `http://${name.includes(':') ? `[${name}]` : name}:${bound}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // A connection whose answer ends from now on is kept alive by Node, and has no more to say.
      const idle = setInterval(endIdle, 50);
      endIdle();
      const impatient = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
      await closed;
      clearInterval(idle);
      clearTimeout(impatient);
    },
  };
}

/**
 * The open connections with how many answers each waits for. Node's own `closeIdleConnections`
 * leaves alone those that never asked anything, which browsers and clients open ahead of need.
 */
function trackConnections(server: Server): ReadonlyMap<Socket, number> {
  const connections = new Map<Socket, number>();
  const count = (socket: Socket, change: 1 | -1): void => {
    const answers = connections.get(socket);
    if (answers !== undefined) connections.set(socket, answers + change);
  };
  server.on('connection', (socket) => {
    connections.set(socket, 0);
    socket.once('close', () => connections.delete(socket));
  });
  server.on('request', ({ socket }, response) => {
    count(socket, 1);
    response.once('close', () => count(socket, -1));
  });
  return connections;
}
