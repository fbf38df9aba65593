import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { createDatabase, type Database } from '@floy/database/database';
import { createTokenRepository } from '@floy/database/repositories/tokens';
import { createListener, type Listener } from '@floy/database/listener';
import { createSealer } from '@floy/secrets/sealing';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { serverAt } from '@floy/testing/server-at';
import { startTcpProxy, type TcpProxy } from '@floy/testing/tcp-proxy';
import { waitFor } from '@floy/testing/wait-for';
import { createGatewayApp } from './gateway-app.js';
import { listen, type ListeningServer } from './http-server.js';

const describePostgres = await needsPostgres();

describePostgres('without Postgres', () => {
  let db: TestDatabase;
  let proxy: TcpProxy;
  let database: Database;
  let listener: Listener;
  let server: ListeningServer;
  let token: string;
  const shutdown = new AbortController();

  beforeAll(async () => {
    db = await createTestDatabase();
    proxy = await startTcpProxy(serverAt(db.url));
    const through = proxy.through(db.url);
    database = createDatabase({ url: through, applicationName: 'floy-test' });
    listener = createListener(through, () => undefined);
    const quiet = () => undefined;
    const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => logger };
    const app = createGatewayApp({
      database,
      listener,
      sealer: createSealer([randomBytes(32)]),
      logger,
      queues: [],
      ready: async () => ({}),
      shutdown: shutdown.signal,
    });
    server = await listen(app, '127.0.0.1', 0);
    const owner = { name: 'a', owner: 'a', role: 'admin' } as const;
    token = (await createTokenRepository(database.knex).create(owner, 'test')).token;
  });
  afterAll(async () => {
    proxy.heal();
    shutdown.abort();
    await server.close();
    await listener.close();
    await database.close();
    await proxy.close();
    await db.drop();
  });

  const ask = async () => {
    const began = performance.now();
    const response = await fetch(`${server.address}/api/v1/versions`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    const body: unknown = await response.json();
    return { status: response.status, body, ms: performance.now() - began };
  };

  it.each(['cut', 'drop'] as const)(
    'answers 503 within a second (%s), and recovers',
    async (way) => {
      expect((await ask()).status).toBe(200);
      proxy[way]();
      for (let time = 0; time < 3; time += 1) {
        const { status, body, ms } = await ask();
        expect(status).toBe(503);
        expect(body).toMatchObject({ error: { code: 'SERVICE_UNAVAILABLE' } });
        expect(ms).toBeLessThan(1300);
      }
      proxy.heal();
      await waitFor('an answer', async () => (await ask()).status === 200);
    },
  );
});
