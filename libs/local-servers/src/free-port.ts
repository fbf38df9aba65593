import { createServer } from 'node:net';

/** A TCP port of the loopback address that nobody listened on a moment ago. */
export function freePort(): Promise<number> {
  return listenBriefly(0).then((port) => {
    if (port === undefined) throw new Error('No free TCP port on 127.0.0.1');
    return port;
  });
}

/** Whether a server could listen on this port of the loopback address right now. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await listenBriefly(port)) !== undefined;
}

function listenBriefly(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      const taken = typeof address === 'object' && address !== null ? address.port : undefined;
      server.close(() => resolve(taken));
    });
  });
}
