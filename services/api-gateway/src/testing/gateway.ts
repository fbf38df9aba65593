import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDatabase, type Database } from '@floy/database/database';
import { createListener } from '@floy/database/listener';
import { createTokenRepository } from '@floy/database/repositories/tokens';
import { createSealer, type Sealer } from '@floy/secrets/sealing';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import type { Role } from '@floy/contracts';
import { createGatewayApp } from '../gateway-app.js';

/** A request of a test and what came back. */
export interface Answered<T = Json> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}
/** JSON as tests look at it. */
export interface Json {
  readonly [name: string]: unknown;
}

export interface Sending {
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Uint8Array;
  /** A role's token, another token, or null for none. Default: admin. */
  readonly as?: Role | null;
  readonly token?: string;
  readonly headers?: Record<string, string>;
}

/** The gateway's app over a database of the test's own, without workers. */
export interface TestGateway {
  readonly url: string;
  readonly db: TestDatabase;
  readonly database: Database;
  readonly sealer: Sealer;
  readonly tokens: Readonly<Record<Role, string>>;
  /** `path` stands below /api/v1. */
  send<T = Json>(method: string, path: string, sending?: Sending): Promise<Answered<T>>;
  /** What every table of the API's own resources holds, to see that nothing changed. */
  contents(): Promise<string>;
  stop(): Promise<void>;
}

export async function startTestGateway(): Promise<TestGateway> {
  const db = await createTestDatabase();
  const database = createDatabase({ url: db.url, applicationName: 'floy-test' });
  const listener = createListener(db.url, () => undefined);
  const sealer = createSealer([randomBytes(32)]);
  const shutdown = new AbortController();
  const quiet = () => undefined;
  const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => logger };
  const app = createGatewayApp({
    database,
    listener,
    sealer,
    logger,
    queues: [],
    ready: async () => ({ postgres: { status: 'ok' } }),
    shutdown: shutdown.signal,
    checkAnswers: true,
  });
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const repository = createTokenRepository(database.knex);
  const made = async (role: Role) =>
    (await repository.create({ name: role, owner: `${role}@example.com`, role }, 'test')).token;
  const tokens = {
    viewer: await made('viewer'),
    deployer: await made('deployer'),
    admin: await made('admin'),
  };

  return {
    url,
    db,
    database,
    sealer,
    tokens,
    async send<T>(method: string, path: string, sending: Sending = {}) {
      const token = sending.token ?? (sending.as === null ? null : tokens[sending.as ?? 'admin']);
      const json = sending.body === undefined ? undefined : JSON.stringify(sending.body);
      const body = sending.raw ?? json;
      const response = await fetch(`${url}/api/v1${path}`, {
        method,
        headers: {
          ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...sending.headers,
        },
        ...(body === undefined ? {} : { body }),
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: (text === '' ? {} : JSON.parse(text)) as T,
      };
    },
    async contents() {
      const tables = ['versions', 'applications', 'environments', 'deployments', 'tasks'];
      const more = ['workflows', 'messages', 'events', 'tokens', 'audit', 'idempotency_keys'];
      const rows = await Promise.all(
        [...tables, ...more, 'questions', 'host_keys', 'sessions'].map(async (table) => {
          const columns = table === 'tokens' ? 'id, name, role, revoked_at' : '*';
          return [table, await db.query(`SELECT ${columns} FROM ${table} ORDER BY 1, 2`)];
        }),
      );
      return JSON.stringify(Object.fromEntries(rows));
    },
    async stop() {
      shutdown.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await listener.close();
      await database.close();
      await db.drop();
    },
  };
}
