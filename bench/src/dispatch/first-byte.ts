import { connect, createServer, type Socket } from 'node:net';

/** A listener that notes when the first byte of whoever connects arrives. */
export interface FirstByteListener {
  readonly port: number;
  /** Connections that are open now. */
  readonly open: number;
  /** Connections that were ever accepted. */
  readonly accepted: number;
  /** When the next piece from a client arrives, on whichever connection. By `performance.now()`. */
  nextPiece(): Promise<number>;
  /** Ends every connection, as an idle timeout of the host would. */
  endAll(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Listens on loopback and hands everything on to `upstream`, where there is one. The way there is
 * opened by the client's first piece, so that nothing stands between that piece and its note.
 */
export async function listenForFirstByte(upstream?: {
  readonly host: string;
  readonly port: number;
}): Promise<FirstByteListener> {
  const clients = new Set<Socket>();
  let accepted = 0;
  let waiting: ((at: number) => void)[] = [];

  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    accepted += 1;
    clients.add(client);
    let behind: Socket | undefined;
    client.on('data', (piece) => {
      const at = performance.now();
      for (const tell of waiting.splice(0)) tell(at);
      if (upstream === undefined) return;
      if (behind === undefined) {
        behind = connect({ ...upstream, noDelay: true, allowHalfOpen: true });
        behind.on('error', () => client.destroy());
        behind.on('close', () => client.destroy());
        behind.on('end', () => client.end());
        behind.on('data', (answer) => {
          if (!client.write(answer)) behind?.pause();
        });
        client.on('drain', () => behind?.resume());
        behind.on('drain', () => client.resume());
      }
      if (!behind.write(piece)) client.pause();
    });
    client.on('end', () => (behind === undefined ? client.end() : behind.end()));
    client.on('error', () => behind?.destroy());
    client.on('close', () => {
      clients.delete(client);
      behind?.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');

  async function endAll(): Promise<void> {
    await Promise.all(
      [...clients].map(
        (client) =>
          new Promise<void>((resolve) => {
            client.once('close', () => resolve());
            client.destroy();
          }),
      ),
    );
  }

  return {
    port: address.port,
    get open() {
      return clients.size;
    },
    get accepted() {
      return accepted;
    },
    nextPiece: () => new Promise((resolve) => waiting.push(resolve)),
    endAll,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      waiting = [];
      await endAll();
      await closed;
    },
  };
}
