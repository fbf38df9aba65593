import { join } from 'node:path';

/** Where to connect: a socket of this machine, or a port. As `connect` of `node:net` takes it. */
export type ServerAt = { readonly path: string } | { readonly host: string; readonly port: number };

/** Where the server of a Postgres' or Redis' URL listens. */
export function serverAt(url: string): ServerAt {
  const { protocol, hostname, port } = new URL(url);
  const host = decodeURIComponent(hostname);
  const isPostgres = protocol.startsWith('postgres');
  const number = Number(port || (isPostgres ? 5432 : 6379));
  if (!host.startsWith('/')) return { host, port: number };
  return { path: isPostgres ? join(host, `.s.PGSQL.${number}`) : host };
}
