/** Who logs in where, behind a socket of this machine. */
export interface SocketAddress {
  readonly scheme: 'postgres' | 'redis';
  readonly user?: string;
  readonly password: string;
  /** The folder of the socket for Postgres, the socket itself for Redis. */
  readonly path: string;
  readonly port?: number;
  readonly database: string;
}

/**
 * A URL with a path in the place of the host, percent-encoded, as `psql` and `pg` read it; our queue
 * reads the same of Redis.
 */
export function socketUrl(address: SocketAddress): string {
  const { scheme, user = '', password, path, port, database } = address;
  const host = `${encodeURIComponent(path)}${port === undefined ? '' : `:${port}`}`;
  return `${scheme}://${user}:${password}@${host}/${database}`;
}
