import type { HostConnection } from '@floy/contracts';
import { CouldNotTellError } from '@floy/domain';
import { createHash } from 'node:crypto';
import type { VerifyHostKey } from './connect.js';
import { connectSsh, type SshClient } from './ssh-client.js';

/** Who may use a connection, and how it is made. */
export interface HostAccess {
  readonly connection: HostConnection;
  /** Called for every new connection and for every use of a kept one. */
  readonly verifyHostKey: VerifyHostKey;
  readonly signal?: AbortSignal;
}

/** Connections that are kept for a while, one for each host, port, user and key. */
export interface ConnectionPool {
  /** Lends a connection for the time of `use`. */
  use<T>(access: HostAccess, use: (client: SshClient) => Promise<T>): Promise<T>;
  /** Forgets the kept connection, so that the next use makes a new one. */
  drop(connection: HostConnection): void;
  /** How many connections are open. */
  open(): number;
  /** Closes all connections; nothing can be used after it. */
  close(): void;
}

export interface ConnectionPoolOptions {
  readonly idleMs?: number;
  /** How many connections may be in the making at once: each costs the processor 2 to 3 ms. */
  readonly maxConnecting?: number;
}

interface Entry {
  readonly client: Promise<SshClient>;
  open: SshClient | undefined;
  users: number;
  idle: NodeJS.Timeout | undefined;
}

/** Makes an empty pool. */
export function createConnectionPool(options: ConnectionPoolOptions = {}): ConnectionPool {
  const { idleMs = 30_000, maxConnecting = 32 } = options;
  const entries = new Map<string, Entry>();
  const clients = new Set<SshClient>();
  const queue: (() => void)[] = [];
  let connecting = 0;
  let closed = false;

  const slot = async (signal: AbortSignal | undefined): Promise<void> => {
    signal?.throwIfAborted();
    if (connecting < maxConnecting) {
      connecting += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const next = (): void => {
        signal?.removeEventListener('abort', aborted);
        resolve();
      };
      const aborted = (): void => {
        queue.splice(queue.indexOf(next), 1);
        reject(signal?.reason);
      };
      queue.push(next);
      signal?.addEventListener('abort', aborted, { once: true });
    });
  };
  const free = (): void => {
    const next = queue.shift();
    if (next === undefined) connecting -= 1;
    else next();
  };

  const connect = async (access: HostAccess): Promise<SshClient> => {
    await slot(access.signal);
    try {
      const client = await connectSsh(access.connection, access.verifyHostKey, access.signal);
      for (const each of clients) if (each.closed) clients.delete(each);
      clients.add(client);
      return client;
    } finally {
      free();
    }
  };
  const remove = (key: string, entry: Entry): void => {
    if (entries.get(key) === entry) entries.delete(key);
    if (entry.users === 0) entry.open?.close();
  };

  const entryFor = (access: HostAccess): { key: string; entry: Entry; fresh: boolean } => {
    const key = keyOf(access.connection);
    const kept = entries.get(key);
    // One that is still in the making belongs to another's signal and is not waited for.
    if (kept?.open !== undefined && !kept.open.closed) return { key, entry: kept, fresh: false };
    const entry: Entry = { client: connect(access), open: undefined, users: 0, idle: undefined };
    return { key, entry, fresh: true };
  };

  return {
    async use(access, use) {
      if (closed) throw new CouldNotTellError('The connections to hosts are closed');
      const { key, entry, fresh } = entryFor(access);
      entry.users += 1;
      clearTimeout(entry.idle);
      let client: SshClient | undefined;
      try {
        client = await entry.client;
        if (fresh) {
          entry.open = client;
          const other = entries.get(key);
          if (other?.open === undefined || other.open.closed) entries.set(key, entry);
        } else await access.verifyHostKey(client.fingerprint);
        return await use(client);
      } finally {
        entry.users -= 1;
        if (client !== undefined && entry.users === 0) {
          if (closed || client.closed || entries.get(key) !== entry) client.close();
          else {
            entry.idle = setTimeout(() => remove(key, entry), idleMs);
            entry.idle.unref();
          }
        }
      }
    },
    drop(connection) {
      const key = keyOf(connection);
      const entry = entries.get(key);
      if (entry !== undefined) remove(key, entry);
    },
    open: () => [...clients].filter((client) => !client.closed).length,
    close() {
      closed = true;
      for (const entry of entries.values()) {
        clearTimeout(entry.idle);
        entry.open?.close();
      }
      entries.clear();
    },
  };
}

function keyOf({ host, port, user, privateKey }: HostConnection): string {
  const key = createHash('sha256').update(privateKey).digest('base64');
  return JSON.stringify([host, port, user, key]);
}
