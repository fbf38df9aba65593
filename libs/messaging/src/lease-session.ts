import { connectionSettings } from '@floy/database/database';
import { lockHolder, type AskPostgres } from '@floy/database/holders';
import { postgresError } from '@floy/database/outages';
import { ProvenClient } from '@floy/database/proven-client';
import { createStatements } from '@floy/database/statements';
import type pg from 'pg';

/** The connection that renews leases, with the holder's session lock on it. */
export interface LeaseSession {
  /** Whether the connection is open and has the lock, as far as is known. */
  isOpen(): boolean;
  /** Connects and takes the lock where that is needed. Throws UnavailableError. */
  open(): Promise<AskPostgres>;
  /** Ends the connection, and with it the lock. */
  drop(): void;
  close(): Promise<void>;
}

/** Longer than this nothing may take: not to be reached, or to stand still. Milliseconds. */
const answerMs = 2000;

/** @param onBroke the connection broke, whether or not anything was asked of it */
export function createLeaseSession(
  url: string,
  holder: string,
  onBroke: (error: Error) => void,
): LeaseSession {
  let open: { client: pg.Client; ask: AskPostgres } | undefined;

  async function connect(): Promise<AskPostgres> {
    const statements = createStatements();
    const client = new ProvenClient({
      ...connectionSettings(url, `floy-leases ${holder}`),
      connectionTimeoutMillis: answerMs,
      query_timeout: answerMs,
    });
    const ask: AskPostgres = (sql, values) =>
      client
        .query({ ...statements.find(sql), values: [...values] })
        .catch((error: unknown) => Promise.reject(postgresError(error)));
    client.on('error', (error) => {
      if (open?.client !== client) return;
      open = undefined;
      onBroke(postgresError(error));
    });
    try {
      await client.connect();
      await lockHolder(ask, holder);
    } catch (error) {
      end(client);
      throw postgresError(error);
    }
    open = { client, ask };
    return ask;
  }

  function drop(): void {
    if (open) end(open.client);
    open = undefined;
  }

  return {
    isOpen: () => open !== undefined,
    open: async () => open?.ask ?? connect(),
    drop,
    async close() {
      const client = open?.client;
      open = undefined;
      await client?.end().catch(() => undefined);
    },
  };
}

function end(client: pg.Client): void {
  client.end().catch(() => undefined);
}
