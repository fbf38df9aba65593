import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { checkedAddresses, type PackageRules } from '../package/package-address.js';

/** A proxy for one fetch, on a port of this machine. */
export interface GuardedProxy {
  /** Holds a password: only who is told may use it. */
  readonly url: string;
  /** The first refusal or failure to find an address. */
  refusal(): Error | undefined;
  close(): Promise<void>;
}

/**
 * A proxy that makes tunnels (`CONNECT`) to public addresses and nothing else. It looks a name up
 * once and connects to what it found, so that a name which leads elsewhere the next time is no way
 * in. `subject` begins what it says about a refusal.
 */
export async function openGuardedProxy(
  rules: PackageRules,
  subject: string,
): Promise<GuardedProxy> {
  const password = randomBytes(18).toString('base64url');
  const wanted = `Basic ${Buffer.from(`floy:${password}`).toString('base64')}`;
  const open = new Set<Duplex>();
  let refused: Error | undefined;
  const server = createServer((_request, response) => {
    response.writeHead(405).end();
  });
  const tunnel = async (target: string, client: Duplex, head: Buffer): Promise<void> => {
    const { hostname, port } = new URL(`http://${target}`);
    const host = hostname.replace(/^\[|\]$/g, '');
    const addresses = await checkedAddresses(host, rules, subject);
    const lookup: LookupFunction = (_name, { all }, done) => {
      if (all) return done(null, [...addresses]);
      done(null, addresses[0]?.address ?? '', addresses[0]?.family ?? 4);
    };
    const there = connect({ host, port: Number(port || 80), lookup, autoSelectFamily: true });
    open.add(there);
    there.once('close', () => {
      open.delete(there);
      client.destroy();
    });
    client.once('close', () => there.destroy());
    there.on('error', () => client.destroy());
    there.once('connect', () => {
      client.write('HTTP/1.1 200 Connected\r\n\r\n');
      if (head.length > 0) there.write(head);
      there.pipe(client).pipe(there);
    });
  };
  server.on('connect', (request, client, head) => {
    open.add(client);
    client.once('close', () => open.delete(client));
    client.on('error', () => client.destroy());
    if (request.headers['proxy-authorization'] !== wanted) {
      client.end(
        'HTTP/1.1 407 Proxy Authentication Required\r\n' +
          'Proxy-Authenticate: Basic realm="floy"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
      );
      return;
    }
    tunnel(request.url ?? '', client, head).catch((error: unknown) => {
      refused ??= error instanceof Error ? error : new Error(String(error));
      client.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://floy:${password}@127.0.0.1:${port}`,
    refusal: () => refused,
    close: () =>
      new Promise((resolve) => {
        for (const each of open) each.destroy();
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
