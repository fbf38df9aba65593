import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createApplicationRepository } from '@floy/database/repositories/applications';
import { needsPostgres } from '@floy/testing/needs';
import { examples } from '../testing/examples.js';
import { startTestGateway, type TestGateway } from '../testing/gateway.js';

const describePostgres = await needsPostgres();
const sentinel = 'sentinel-7f3a9c';

describePostgres('secrets in configs', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.stop());

  const config = {
    ...examples.application.config,
    git_token: sentinel,
    secrets: { PASSWORD: sentinel },
    registry_auth: `user:${sentinel}`,
  };
  const hidden = {
    ...examples.application.config,
    git_token: '<redacted>',
    secrets: { PASSWORD: '<redacted>' },
    registry_auth: '<redacted>',
  };
  const stored = (id: string) =>
    createApplicationRepository(gateway.database.knex, gateway.sealer).getById(id);

  it('are never shown, and kept where <redacted> is sent back', async () => {
    const body = { ...examples.application, config };
    const headers = { 'Idempotency-Key': 'with secrets' };
    const made = await gateway.send('POST', '/applications', { body, headers });
    expect(made.body['config']).toEqual(hidden);
    const id = String(made.body['id']);
    const path = `/applications/${id}`;
    const changed = { ...hidden, dockerfile: 'Other' };
    const put = await gateway.send('PUT', path, { body: { config: changed } });
    expect(put).toMatchObject({ status: 200, body: { config: changed } });
    expect((await stored(id)).config).toEqual({ ...config, dockerfile: 'Other' });
    expect((await gateway.send('GET', path)).body).toEqual(put.body);
    const list = await gateway.send('GET', '/applications');
    expect(JSON.stringify(list.body)).not.toContain(sentinel);

    const replaced = { config: { git_token: 'new' } };
    expect(await gateway.send('PUT', path, { body: replaced })).toMatchObject({ status: 200 });
    expect((await stored(id)).config).toEqual({ git_token: 'new' });
    const nothing = { config: { registry_auth: '<redacted>' } };
    const refused = await gateway.send('PUT', path, { body: nothing });
    expect(refused).toMatchObject({
      status: 400,
      body: { error: { details: { 'config.registry_auth': expect.any(String) } } },
    });
  });

  it('stand in no row unsealed, and in no error', async () => {
    const body = { ...examples.environment, name: 'x', config: { kubeconfig: sentinel } };
    expect(await gateway.send('POST', '/environments', { body })).toMatchObject({ status: 201 });
    const wrong = { ...body, name: 'y', config: { kubeconfig: [sentinel], timeout: sentinel } };
    const refused = await gateway.send('POST', '/environments', { body: wrong });
    expect(refused.status).toBe(400);
    expect(JSON.stringify(refused.body)).not.toContain(sentinel);
    const tables = await gateway.db.query<{ name: string }>(
      `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
    );
    for (const { name } of tables) {
      const rows = await gateway.db.query<{ x: string }>(`SELECT x::text FROM ${name} x`);
      const bytes = Buffer.from(sentinel).toString('hex');
      for (const { x } of rows) {
        expect(x).not.toContain(sentinel);
        expect(x).not.toContain(bytes);
      }
    }
  });
});
