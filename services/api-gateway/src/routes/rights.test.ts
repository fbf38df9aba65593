import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Role } from '@floy/contracts';
import { needsPostgres } from '@floy/testing/needs';
import { startTestGateway, type TestGateway } from '../testing/gateway.js';
import { routeTable } from './table.js';

const describePostgres = await needsPostgres();
const roles: readonly Role[] = ['viewer', 'deployer', 'admin'];
const guarded = routeTable.filter(({ role }) => role !== 'anyone');

describePostgres('who may do what', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.stop());

  const target = (path: string) => path.replaceAll(/\{\w+\}/g, 'none');

  it.each(guarded)('$method $path needs $role', async ({ method, path, role: needed }) => {
    const before = await gateway.contents();
    const without = await gateway.send(method, target(path), { as: null });
    expect(without).toMatchObject({ status: 401, body: { error: { code: 'UNAUTHORIZED' } } });
    expect(without.headers.get('www-authenticate')).toBe('Bearer');
    for (const role of roles) {
      const answer = await gateway.send(method, target(path), { as: role });
      const reaches = roles.indexOf(role) >= roles.indexOf(needed as Role);
      if (reaches) expect([200, 400, 404]).toContain(answer.status);
      else {
        expect(answer).toMatchObject({ status: 403, body: { error: { code: 'FORBIDDEN' } } });
      }
    }
    expect(await gateway.contents()).toBe(before);
  });

  it('keeps the rights that are promised', () => {
    const admins = guarded.filter(({ role }) => role === 'admin');
    expect(admins.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
      'DELETE /applications/{id}',
      'DELETE /environments/{id}',
      'DELETE /tokens/{id}',
      'GET /audit',
      'GET /tokens',
      'POST /applications',
      'POST /environments',
      'POST /environments/{id}/commands',
      'POST /environments/{id}/host-keys',
      'POST /tokens',
      'PUT /applications/{id}',
      'PUT /environments/{id}',
    ]);
    const changing = guarded.filter(({ method }) => method !== 'GET');
    expect(changing.filter(({ role }) => role === 'viewer')).toEqual([]);
    const open = routeTable.filter(({ role }) => role === 'anyone');
    expect(open.map(({ path }) => path)).toEqual(['/downloads/{sha256}', '/openapi.json']);
  });

  it('refuses tokens that are malformed, unknown, expired or revoked', async () => {
    const body = { name: 't', owner: 'o', role: 'admin' };
    const made = await gateway.send('POST', '/tokens', { body });
    const { id, token } = made.body as { id: string; token: string };
    expect(token).toMatch(/^floy_pat_[\w-]{43}$/);
    expect(await gateway.send('GET', '/versions', { token })).toMatchObject({ status: 200 });

    const expires = new Date(Date.now() + 3_600_000).toISOString();
    const short = await gateway.send('POST', '/tokens', { body: { ...body, expires_at: expires } });
    await gateway.db.query(`UPDATE tokens SET expires_at = now() WHERE id = $1`, [
      short.body['id'],
    ]);
    expect(await gateway.send('DELETE', `/tokens/${id}`)).toMatchObject({ status: 200 });

    const wrong = [token, String(short.body['token']), 'floy_pat_x', 'x', `${token}x`];
    for (const each of wrong) {
      const answer = await gateway.send('GET', '/versions', { token: each });
      expect(answer).toMatchObject({ status: 401, body: { error: { code: 'UNAUTHORIZED' } } });
    }
    for (const header of ['', 'Bearer', `Basic ${token}`, `Bearer ${gateway.tokens.admin} x`]) {
      const headers = { Authorization: header };
      const answer = await gateway.send('GET', '/versions', { as: null, headers });
      expect(answer.status).toBe(401);
    }
    const list = await gateway.send('GET', '/tokens');
    expect(JSON.stringify(list.body)).not.toContain('floy_pat_');
    const stored = await gateway.db.query('SELECT * FROM tokens');
    expect(JSON.stringify(stored)).not.toContain(token);
  });

  it('answers a wrong token before it reads a body', async () => {
    const raw = `{"a":"${'x'.repeat(2 * 1024 * 1024)}"}`;
    const answer = await gateway.send('POST', '/versions', { raw, as: null });
    expect(answer.status).toBe(401);
  });

  it('writes a line of audit for what was changed', async () => {
    const body = { name: 'audited', owner: 'o', role: 'viewer' };
    const headers = { 'X-Request-Id': 'look-for-me' };
    const made = await gateway.send('POST', '/tokens', { body, headers });
    expect(made.headers.get('x-request-id')).toBe('look-for-me');
    const audit = await gateway.send('GET', '/audit?actor=admin@example.com&page_size=1');
    expect(audit.body).toMatchObject({
      entries: [
        {
          action: 'POST /api/v1/tokens',
          actor: 'admin@example.com',
          subject: made.body['id'],
          outcome: 201,
          request_id: 'look-for-me',
        },
      ],
    });
  });
});
