import type { HostConnection } from '@floy/contracts';
import { CouldNotTellError } from '@floy/domain';
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { VerifyHostKey } from './connect.js';
import { createSpareTime } from './spare-time.js';
import { connectSsh, type SshClient } from './ssh-client.js';
import { createTurns } from './turns.js';

/** Who may use a connection, and how it is made. */
export interface HostAccess {
  readonly connection: HostConnection;
  /** Called for every new connection and for every use of a kept one. */
  readonly verifyHostKey: VerifyHostKey;
  /** Whoever connects to many hosts takes turns with others: a release's id; none for a question. */
  readonly group?: string;
  readonly signal?: AbortSignal;
  /** Called when the turn to connect has come: the time to connect begins. */
  connecting?(): void;
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
  /** How long a connection is kept that nobody uses. */
  readonly idleMs?: number;
  /** How many of those are kept at most. */
  readonly maxIdle?: number;
  /** How many connections may be in the making at once; by default two for each processor. */
  readonly maxConnecting?: number;
}

/**
 * A connection in the making has its turn until it is made. What is far away or does not answer costs
 * time and no processor: it loses its turn at the first look that finds processor time to spare, and
 * on a busy machine after the longest time.
 */
const CONNECTING = { lookMs: 250, longestMs: 3000 };
/**
 * So it is with the work on connections. It costs Floy little, but where hosts share its machine, or
 * hundreds answer at once, nobody else would be served. So many for each processor.
 */
const WORKING = { lookMs: 25, longestMs: 1000 };
const WORKING_EACH = 3;

interface Entry {
  readonly client: Promise<SshClient>;
  open: SshClient | undefined;
  users: number;
  idle: NodeJS.Timeout | undefined;
}

/** Makes an empty pool. */
export function createConnectionPool(options: ConnectionPoolOptions = {}): ConnectionPool {
  const { idleMs = 90_000, maxIdle = 512 } = options;
  const { maxConnecting = 2 * availableParallelism() } = options;
  const entries = new Map<string, Entry>();
  const clients = new Set<SshClient>();
  const isSpare = createSpareTime();
  const connecting = createTurns({ ...CONNECTING, atOnce: maxConnecting, isSpare });
  const atOnce = WORKING_EACH * availableParallelism();
  const working = createTurns({ ...WORKING, atOnce, isSpare });
  let closed = false;

  const connect = async (access: HostAccess): Promise<SshClient> => {
    const endTurn = await connecting.take(access.group ?? '', access.signal);
    access.connecting?.();
    try {
      const client = await connectSsh(access.connection, access.verifyHostKey, access.signal);
      for (const each of clients) if (each.closed) clients.delete(each);
      clients.add(client);
      return client;
    } finally {
      endTurn();
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
        const endTurn = await working.take(access.group ?? '', access.signal);
        try {
          return await use(client);
        } finally {
          endTurn();
        }
      } finally {
        entry.users -= 1;
        if (client !== undefined && entry.users === 0) {
          const idle = [...entries.values()].filter((each) => each.users === 0).length;
          const kept = entries.get(key) === entry && idle <= maxIdle;
          if (closed || client.closed || !kept) remove(key, entry);
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
