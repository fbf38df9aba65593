import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createClient } from '@floy/client/client';
import { createRedactor } from '@floy/secrets/redaction';
import { createMetrics } from '@floy/service-kit/metrics';
import { catalogues } from '@floy/contracts';
import { openRuntime, type Runtime } from '@floy/service-kit/runtime';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres, needsRedis } from '@floy/testing/needs';
import { startTestRedis, type TestRedis } from '@floy/testing/redis';
import { compose, type RunningGateway } from './compose.js';
import { examples } from './testing/examples.js';

await needsPostgres();
const describeBoth = await needsRedis();

describeBoth('the gateway as it runs', () => {
  let db: TestDatabase;
  let redis: TestRedis;
  let runtime: Runtime;
  let gateway: RunningGateway;
  const token = 'floy_pat_the-first-admin-token';

  beforeAll(async () => {
    [db, redis] = await Promise.all([createTestDatabase(), startTestRedis()]);
    const quiet = () => undefined;
    const logger = { debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => logger };
    const config = {
      FLOY_DATABASE_URL: db.url,
      FLOY_REDIS_URL: redis.url,
      FLOY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      FLOY_HOST: '127.0.0.1',
      FLOY_PORT: 0,
      FLOY_ADMIN_TOKEN: token,
    };
    const parts = { logger, metrics: createMetrics(), redactor: createRedactor() };
    runtime = await openRuntime('api-gateway', config, parts, catalogues);
    gateway = await compose(runtime.deps, config, runtime.ready);
  });
  afterAll(async () => {
    await runtime.close();
    await redis.stop();
    await db.drop();
  });

  it('takes the first admin token, shows the queues, and ends streams when it stops', async () => {
    const headers = { Authorization: `Bearer ${token}` };
    const board = await fetch(`${gateway.address}/admin/queues/api/queues`, { headers });
    const { queues } = (await board.json()) as {
      queues: { name: string; readOnlyMode: boolean }[];
    };
    expect(queues.map(({ name }) => name)).toContain('physical-deployer');
    expect(queues.every(({ readOnlyMode }) => readOnlyMode)).toBe(true);
    expect((await fetch(`${gateway.address}/readyz`)).status).toBe(200);

    const client = createClient({ url: gateway.address, token });
    const repository = 'https://github.com/org/repo';
    const version = { git_tag: 'v1', git_commit: 'abc123', repository };
    const { id } = await client.createDeployment({
      version_id: (await client.createVersion(version)).id,
      application_ids: [(await client.createApplication({ name: 'a', type: 't', repository })).id],
      environment_id: (await client.createEnvironment({ ...examples.physicalConfig, name: 'e' }))
        .id,
    });
    const stream = await fetch(`${gateway.address}/api/v1/deployments/${id}/events`, {
      headers: { ...headers, Accept: 'text/event-stream' },
    });
    const text = stream.body!.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
    let read = '';
    while (!read.includes('deployment.created')) read += (await text.next()).value ?? '';
    const began = performance.now();
    const stopping = gateway.stop();
    while (!(await text.next()).done);
    await stopping;
    expect(performance.now() - began).toBeLessThan(3000);
  });
});
