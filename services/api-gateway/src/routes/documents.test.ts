import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { needsPostgres } from '@floy/testing/needs';
import { startTestGateway, type TestGateway } from '../testing/gateway.js';
import { openApiDocument, routeTable } from './table.js';

const describePostgres = await needsPostgres();

it('the OpenAPI document is valid and has every route', async () => {
  const document = openApiDocument();
  const result = await new Validator().validate(structuredClone(document));
  expect(result).toMatchObject({ valid: true });
  const paths = document['paths'] as Record<string, Record<string, unknown>>;
  for (const { method, path } of routeTable) {
    expect(paths[path]?.[method.toLowerCase()]).toBeDefined();
  }
  const ids = Object.values(paths).flatMap((path) =>
    Object.values(path).map((operation) => (operation as { operationId: string }).operationId),
  );
  expect(new Set(ids).size).toBe(routeTable.length);
});

describePostgres('pages', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.stop());
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(gateway.url + path, { headers, redirect: 'manual' });

  it('the docs load nothing from elsewhere and cannot be framed', async () => {
    const page = await get('/api/v1/docs');
    expect(page.status).toBe(200);
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    const html = await page.text();
    const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path!);
    expect(loaded.length).toBe(4);
    for (const path of loaded) {
      expect(path).toMatch(/^\/api\/v1\/docs\//);
      expect((await get(path)).status).toBe(200);
    }
    const document = await get('/api/v1/openapi.json');
    expect(document.status).toBe(200);
  });

  it('a browser that comes without a path is led to the docs', async () => {
    expect((await get('/')).headers.get('location')).toBe('/api/v1/docs');
  });

  it('health needs no token', async () => {
    expect(await (await get('/healthz')).json()).toEqual({ status: 'ok' });
    expect((await get('/readyz')).status).toBe(200);
  });

  it('the board is for admins, by token or by a session made from one', async () => {
    const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
    expect((await get('/admin/queues')).status).toBe(401);
    const browser = await get('/admin/queues', { Accept: 'text/html' });
    expect(browser.headers.get('location')).toBe('/admin/login');
    expect((await get('/admin/queues', bearer(gateway.tokens.deployer))).status).toBe(403);
    const board = await get('/admin/queues', bearer(gateway.tokens.admin));
    expect(board.status).toBe(200);
    expect(board.headers.get('content-security-policy')).toContain("style-src 'self'");

    expect((await logIn(gateway.tokens.viewer)).status).toBe(403);
    expect((await logIn('wrong')).status).toBe(401);
    const foreign = await logIn(gateway.tokens.admin, { Origin: 'https://evil.example' });
    expect(foreign.status).toBe(403);
    const entered = await logIn(gateway.tokens.admin);
    expect(entered.status).toBe(303);
    const cookie = entered.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/HttpOnly/);
    expect(cookie).toMatch(/SameSite=Strict/);
    const session = { Cookie: cookie.split(';')[0]! };
    expect((await get('/admin/queues/api/queues', session)).status).toBe(200);
    await gateway.db.query(`UPDATE tokens SET revoked_at = now() WHERE role = 'admin'`);
    expect((await get('/admin/queues', session)).status).toBe(401);
  });

  const logIn = (token: string, headers: Record<string, string> = {}) =>
    fetch(`${gateway.url}/admin/login`, {
      method: 'POST',
      body: new URLSearchParams({ token }),
      redirect: 'manual',
      headers,
    });
});
