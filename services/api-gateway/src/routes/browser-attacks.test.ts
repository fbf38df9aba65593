import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { needsPostgres } from '@floy/testing/needs';
import { makeThings } from '../testing/examples.js';
import { startTestGateway, type TestGateway } from '../testing/gateway.js';
import { routeTable } from './table.js';

const describePostgres = await needsPostgres();

describePostgres('attacks by way of a browser', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.stop());

  const ask = (path: string, init: RequestInit = {}) =>
    fetch(gateway.url + path, { redirect: 'manual', ...init });
  const logIn = (headers: Record<string, string> = {}) =>
    ask('/admin/login', {
      method: 'POST',
      body: new URLSearchParams({ token: gateway.tokens.admin }),
      headers,
    });
  const cookieOf = (answer: Response) => (answer.headers.get('set-cookie') ?? '').split(';')[0]!;
  const board = (headers: Record<string, string>) => ask('/admin/queues/api/queues', { headers });

  const foreign: readonly Record<string, string>[] = [
    { Origin: 'null' },
    { Origin: 'https://evil.example' },
    { Origin: 'not an origin' },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
    { 'Sec-Fetch-Site': 'none' },
    { 'Sec-Fetch-Site': 'cross-site', Origin: 'null' },
  ];

  it.each(foreign)('a foreign page (%j) neither logs a browser in nor out', async (headers) => {
    const refused = await logIn(headers);
    expect(refused.status).toBe(403);
    expect(refused.headers.get('set-cookie')).toBeNull();
    const own = { Origin: gateway.url, 'Sec-Fetch-Site': 'same-origin' };
    const session = { Cookie: cookieOf(await logIn(own)) };
    const logout = { method: 'POST', headers: { ...session, ...headers } };
    expect((await ask('/admin/logout', logout)).status).toBe(403);
    expect((await board(session)).status).toBe(200);
  });

  it('a page that claims to be a host of the same name with another port is foreign', async () => {
    const other = new URL(gateway.url);
    other.port = '1';
    expect((await logIn({ Origin: other.origin })).status).toBe(403);
  });

  it('a logout by GET, or by a method that a parameter names, ends no session', async () => {
    const session = { Cookie: cookieOf(await logIn({ Origin: gateway.url })) };
    for (const path of ['/admin/logout', '/admin/logout?_method=POST'])
      expect((await ask(path, { headers: session })).status).toBe(404);
    const override = { ...session, 'X-HTTP-Method-Override': 'POST' };
    expect((await ask('/admin/logout', { headers: override })).status).toBe(404);
    expect((await board(session)).status).toBe(200);
    await ask('/admin/logout', { method: 'POST', headers: { ...session, Origin: gateway.url } });
    expect((await board(session)).status).toBe(401);
  });

  it('a session that was planted before a login is not the one that the login begins', async () => {
    const planted = cookieOf(await logIn());
    const own = await logIn({ Cookie: planted, Origin: gateway.url });
    expect(own.status).toBe(303);
    expect(cookieOf(own)).not.toBe(planted);
    expect((await board({ Cookie: planted })).status).toBe(401);
    expect(own.headers.get('set-cookie')).toMatch(/; Path=\/admin;.*; HttpOnly; SameSite=Strict$/);
  });

  it('the cookie of a session opens nothing of the API', async () => {
    const session = { Cookie: cookieOf(await logIn()) };
    expect((await ask('/api/v1/versions', { headers: session })).status).toBe(401);
    const form = { method: 'POST', headers: { ...session, 'Content-Type': 'text/plain' } };
    expect((await ask('/api/v1/tokens', { ...form, body: '{"name":"x"}' })).status).toBe(401);
  });

  it('the board changes nothing, whoever asks and by whatever method', async () => {
    const session = { Cookie: cookieOf(await logIn()) };
    const bearer = { Authorization: `Bearer ${gateway.tokens.admin}` };
    const calls = [
      ['PUT', '/queues/pause-all'],
      ['PUT', '/queues/api-gateway/retry/failed'],
      ['PUT', '/queues/api-gateway/clean/failed'],
      ['POST', '/queues/api-gateway/add'],
      ['PATCH', '/queues/api-gateway/1/update-data'],
      ['DELETE', '/queues/api-gateway'],
    ] as const;
    for (const headers of [session, bearer, { ...session, Origin: gateway.url }])
      for (const [method, path] of calls) {
        const answer = await ask(`/admin/queues/api${path}`, { method, headers });
        expect(answer.status).toBe(405);
      }
  });

  it('a page elsewhere is allowed nothing by CORS, also where it knows a token', async () => {
    const headers = { Origin: 'https://evil.example', 'Access-Control-Request-Method': 'POST' };
    const preflight = await ask('/api/v1/tokens', { method: 'OPTIONS', headers });
    expect(preflight.status).toBe(405);
    const token = { ...headers, Authorization: `Bearer ${gateway.tokens.viewer}` };
    const plain = await ask('/api/v1/versions', { headers: token });
    // Whoever holds a token may ask from wherever; a browser shows the answer to no foreign page.
    expect(plain.status).toBe(200);
    for (const answer of [preflight, plain]) {
      const allowed = [...answer.headers.keys()].filter((name) => name.startsWith('access-'));
      expect(allowed).toEqual([]);
    }
  });

  it('nothing can be framed, and nothing says what serves it', async () => {
    const session = { Cookie: cookieOf(await logIn()) };
    const paths = ['/', '/healthz', '/api/v1/docs', '/api/v1/versions', '/admin/login', '/nothing'];
    for (const path of [...paths, '/admin/queues', '/admin/queues/api/queues']) {
      const { headers } = await ask(path, { headers: { ...session, Accept: 'text/html' } });
      expect([path, headers.get('x-powered-by')]).toEqual([path, null]);
      expect(headers.get('server')).toBeNull();
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    }
  });

  it('a secret shown once stays in no cache, and no other answer either', async () => {
    const things = await makeThings(gateway);
    const body = { name: 'cached', owner: 'o', role: 'viewer' };
    const made = await gateway.send('POST', '/tokens', { body });
    expect(made.headers.get('cache-control')).toBe('no-store');
    const entered = await logIn();
    expect(entered.headers.get('cache-control')).toBe('no-store');
    const ids: Record<string, string> = { applications: things.application };
    for (const { path } of routeTable.filter(({ method }) => method === 'GET')) {
      const target = path.replaceAll(/\{\w+\}/g, ids[path.split('/')[1]!] ?? 'none');
      const answer = await gateway.send('GET', target);
      expect([path, answer.headers.get('cache-control')]).toEqual([path, 'no-store']);
    }
    for (const path of ['/admin/login', '/admin/queues', '/api/v1/docs', '/readyz'])
      expect((await ask(path)).headers.get('cache-control')).toBe('no-store');
    const asset = await ask('/api/v1/docs/swagger-ui.css');
    expect(asset.headers.get('cache-control')).toBe('public, max-age=3600');
  });

  it.each([
    ['of 1 MB is 413', 'token='.padEnd(1024 * 1024, 'x'), {}, 413],
    ['with too many fields is 413', 'a=1&b=2&c=3&d=4&e=5', {}, 413],
    ['that is compressed is 415', 'token=x', { 'Content-Encoding': 'gzip' }, 415],
    ['in an unknown alphabet is 415', 'token=x', { charset: 'x' }, 415],
  ])('a login form %s', async (_name, body, more, status) => {
    const { charset, ...headers } = more as { charset?: string };
    const type = 'application/x-www-form-urlencoded';
    const answer = await ask('/admin/login', {
      method: 'POST',
      body,
      headers: { ...headers, 'Content-Type': charset ? `${type}; charset=${charset}` : type },
    });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ error: { code: 'INVALID_REQUEST' } });
  });

  it('a token counts in one Authorization header alone, whatever the case of its scheme', async () => {
    const { admin, viewer } = gateway.tokens;
    const versions = (headers: string[], path = '/api/v1/versions') =>
      raw([`GET ${path} HTTP/1.1`, 'Host: floy', ...headers, 'Connection: close']);
    expect(await versions([`authorization: bEaReR ${viewer}`])).toMatch(/^HTTP\/1.1 200 /);
    const twice = [`Authorization: Bearer ${viewer}`, `authorization: Bearer ${admin}`];
    expect(await versions(twice)).toMatch(/^HTTP\/1.1 401 /);
    expect(await versions([`Authorization: Bearer ${'x'.repeat(8000)}`])).toMatch(
      /^HTTP\/1.1 401 /,
    );
    expect(await versions([`Authorization: Bearer ${'x'.repeat(80_000)}`])).toMatch(
      /^HTTP\/1.1 431 /,
    );
    for (const name of ['token', 'access_token', 'authorization'])
      expect(await versions([], `/api/v1/versions?${name}=${admin}`)).toMatch(/^HTTP\/1.1 401 /);
    const forged = ['Host: evil.example', 'X-Forwarded-Host: evil.example'];
    const redirect = await raw(['GET / HTTP/1.1', ...forged, 'Connection: close']);
    expect(redirect).not.toContain('evil');
  });

  async function raw(lines: readonly string[]): Promise<string> {
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    return text(socket);
  }

  it('an address that a client claims in X-Forwarded-For is not counted as its own', async () => {
    const claim = (n: number) => ({
      Authorization: `Bearer wrong-${n}`,
      'X-Forwarded-For': `203.0.113.${n % 250}`,
    });
    const answers: number[] = [];
    for (let n = 0; n < 302; n += 1)
      answers.push((await ask('/api/v1/versions', { headers: claim(n) })).status);
    expect(answers.slice(-1)).toEqual([429]);
    expect((await gateway.send('GET', '/versions')).status).toBe(200);
  });
});
