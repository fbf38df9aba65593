import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { needsPostgres } from '@floy/testing/needs';
import type { TSchema } from 'typebox';
import { examples, makeThings, type Things } from '../testing/examples.js';
import { startTestGateway, type Json, type TestGateway } from '../testing/gateway.js';
import { routeTable } from './table.js';

const describePostgres = await needsPostgres();

const unknownId = '00000000000000000000000000';
const prefixes: Record<string, string> = {
  versions: 'ver',
  applications: 'app',
  environments: 'env',
  deployments: 'dep',
  workflows: 'wf',
  tasks: 'task',
  tokens: 'tok',
};

describePostgres('bad input of every kind is refused and changes nothing', () => {
  let gateway: TestGateway;
  let things: Things;
  let before: string;

  beforeAll(async () => {
    gateway = await startTestGateway();
    things = await makeThings(gateway);
    before = await gateway.contents();
  });
  afterAll(async () => {
    expect(await gateway.contents()).toBe(before);
    await gateway.stop();
  });

  /** A body that each route would take, but for what a test breaks in it. */
  const bodies = (): Record<string, Json> => ({
    '/versions': { ...examples.version, git_tag: 'v7.0.0' },
    '/applications': { ...examples.application, name: 'never' },
    '/environments': { ...examples.physicalConfig, name: 'never', is_active: true },
    '/applications/{id}': examples.applicationChange,
    '/environments/{id}': { ...examples.physicalConfig, name: 'never', is_active: true },
    '/deployments': {
      version_id: things.version,
      application_ids: [things.application],
      environment_id: things.environment,
    },
    '/deployments/{id}/rollback': { target_version_id: things.version },
    '/deployments/{id}/cancel': { rollback: true },
    '/tokens': { name: 'never', owner: 'nobody', role: 'viewer', expires_at: null },
    '/environments/{id}/services/{service}/restart': { hosts: ['192.168.1.10'], timeout: 5 },
    '/environments/{id}/commands': { command: 'true', hosts: ['192.168.1.10'], timeout: 5 },
    '/environments/{id}/artifacts': { sha256: 'a'.repeat(64), service: 'never', timeout: 5 },
    '/environments/{id}/host-keys': {
      host: '192.168.1.10',
      port: 22,
      fingerprint: `SHA256:${'A'.repeat(43)}`,
    },
  });
  const ids = (): Record<string, string> => ({
    versions: things.version,
    applications: things.application,
    environments: things.environment,
  });
  const bodyRoutes = routeTable.filter(({ body }) => body !== undefined);
  const idOf = (path: string, id?: string) => {
    const kind = path.split('/')[1]!;
    return id ?? ids()[kind] ?? `${prefixes[kind]}_${unknownId}`;
  };
  const filled = (path: string, id?: string) =>
    path.replace('{id}', idOf(path, id)).replace('{service}', 'api-service');

  function expectRefused(answer: { status: number; body: Json }, status: number, code: string) {
    expect(answer).toMatchObject({
      status,
      body: {
        error: {
          code,
          message: expect.any(String),
          details: expect.any(Object),
          request_id: expect.stringMatching(/./),
        },
      },
    });
  }
  const detailsOf = (body: Json) => (body['error'] as { details: Json }).details;

  it.each(bodyRoutes)('$method $path: bodies that are none', async ({ method, path }) => {
    const target = filled(path);
    for (const raw of ['{"a":', 'null', '[]', '"text"', '3', '\u0000', '{"a":1}{', '﻿']) {
      expectRefused(await gateway.send(method, target, { raw }), 400, 'INVALID_REQUEST');
    }
    const notUtf8 = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    expectRefused(await gateway.send(method, target, { raw: notUtf8 }), 400, 'INVALID_REQUEST');
    const deep = `{"config":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expectRefused(await gateway.send(method, target, { raw: deep }), 400, 'INVALID_REQUEST');
    const huge = `{"a":"${'x'.repeat(10 * 1024 * 1024)}"}`;
    expectRefused(await gateway.send(method, target, { raw: huge }), 413, 'INVALID_REQUEST');
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const sent = await gateway.send(method, target, { raw: 'a=1', headers: form });
    expectRefused(sent, 415, 'INVALID_REQUEST');
    const zipped = { 'Content-Encoding': 'gzip' };
    const encoded = await gateway.send(method, target, { raw: '{}', headers: zipped });
    expectRefused(encoded, 415, 'INVALID_REQUEST');
  });

  it.each(bodyRoutes)('$method $path: fields', async ({ method, path, body: schema }) => {
    const target = filled(path);
    const valid = bodies()[path] ?? {};
    const unknown = await gateway.send(method, target, { body: { ...valid, surprise: 1 } });
    expectRefused(unknown, 400, 'INVALID_REQUEST');
    expect(detailsOf(unknown.body)).toEqual({ surprise: 'is not known' });
    const poisoned = `{"__proto__":{"admin":true},${JSON.stringify(valid).slice(1)}`;
    const proto = await gateway.send(method, target, { raw: poisoned.replace(',}', '}') });
    expectRefused(proto, 400, 'INVALID_REQUEST');

    const { required = [] } = schema as { required?: string[] };
    for (const field of required) {
      const rest = Object.fromEntries(Object.entries(valid).filter(([name]) => name !== field));
      const missing = await gateway.send(method, target, { body: rest });
      expectRefused(missing, 400, 'INVALID_REQUEST');
      expect(detailsOf(missing.body)).toEqual({ [field]: 'is required' });
    }
    const { properties = {} } = schema as { properties?: Record<string, TSchema> };
    for (const field of Object.keys(properties)) {
      for (const wrong of wrongValues(properties[field]!)) {
        const body = { ...valid, [field]: wrong };
        const answer = await gateway.send(method, target, { body });
        expectRefused(answer, 400, 'INVALID_REQUEST');
        expect(Object.keys(detailsOf(answer.body))[0]).toMatch(new RegExp(`^${field}\\b`));
      }
    }
  });

  it('ids that are unknown, malformed or of another kind', async () => {
    const withId = routeTable.filter(({ path }) => path.includes('{id}'));
    expect(withId.length).toBeGreaterThan(20);
    for (const { method, path } of withId) {
      const kind = path.split('/')[1]!;
      const other = kind === 'versions' ? things.application : things.version;
      const wrong = [`${prefixes[kind]}_${unknownId}`, other, 'x', '%00', '%ff', `x'--`];
      for (const id of wrong) {
        const body = bodies()[path] ?? {};
        const sending = method === 'POST' || method === 'PUT' ? { body } : {};
        const answer = await gateway.send(method, filled(path, id), sending);
        expectRefused(answer, 404, 'RESOURCE_NOT_FOUND');
      }
    }
  });

  it('ids in a body that are unknown or of another kind', async () => {
    const valid = bodies()['/deployments']!;
    const wrong = [
      { version_id: `ver_${unknownId}` },
      { version_id: things.application },
      { environment_id: `env_${unknownId}` },
      { environment_id: 'x' },
      { application_ids: [things.application, `app_${unknownId}`] },
      { application_ids: [things.environment] },
    ];
    for (const part of wrong) {
      const answer = await gateway.send('POST', '/deployments', { body: { ...valid, ...part } });
      expectRefused(answer, 404, 'RESOURCE_NOT_FOUND');
      const [field] = Object.keys(part);
      expect(Object.keys(detailsOf(answer.body))[0]).toMatch(new RegExp(`^${field}`));
    }
    for (const list of [[], [things.application, things.application]]) {
      const body = { ...valid, application_ids: list };
      const answer = await gateway.send('POST', '/deployments', { body });
      expectRefused(answer, 400, 'INVALID_REQUEST');
    }
  });

  it('queries', async () => {
    const lists = routeTable.filter(
      ({ method, query }) => method === 'GET' && 'page' in propertiesOf(query),
    );
    expect(lists.map(({ path }) => path).sort()).toEqual([
      '/applications',
      '/audit',
      '/deployments',
      '/environments',
      '/tasks',
      '/tokens',
      '/versions',
    ]);
    for (const { path } of lists) {
      const wrong = ['page=0', 'page=-1', 'page=x', 'page=1.5', 'page=', 'page=1&page=2'];
      wrong.push('page_size=0', 'page_size=101', 'page_size=abc', 'surprise=1', 'page=1e3');
      for (const query of wrong) {
        const answer = await gateway.send('GET', `${path}?${query}`);
        expectRefused(answer, 400, 'INVALID_REQUEST');
      }
      const past = await gateway.send('GET', `${path}?page=1000&page_size=100`);
      expect(past).toMatchObject({ status: 200, body: { page: 1000, page_size: 100 } });
      expect(Object.values(past.body).find(Array.isArray)).toEqual([]);
    }
    const wrong = ['/environments?type=cloud', '/environments?is_active=yes'];
    wrong.push('/deployments?status=done', '/tasks?status=x', '/tasks?type=x', '/tasks?type=');
    for (const path of wrong) {
      expectRefused(await gateway.send('GET', path), 400, 'INVALID_REQUEST');
    }
  });

  it('paths and methods that are none', async () => {
    for (const path of ['/nothing', '/versions/a/b', '/VERSIONS', '/deployments/x/explode']) {
      expectRefused(await gateway.send('GET', path), 404, 'RESOURCE_NOT_FOUND');
    }
    const patch = await gateway.send('PATCH', '/versions', { body: {} });
    expectRefused(patch, 405, 'INVALID_REQUEST');
    expect(patch.headers.get('allow')).toBe('POST, GET');
    expectRefused(await gateway.send('PUT', '/deployments', {}), 405, 'INVALID_REQUEST');
  });
});

function propertiesOf(schema: TSchema | undefined): object {
  return (schema as { properties?: object } | undefined)?.properties ?? {};
}

/** Values of every type but the schema's own; the empty text and list where something is required. */
function wrongValues(schema: TSchema): unknown[] {
  const { type, minLength, minItems, pattern } = schema as {
    type?: string | string[];
    minLength?: number;
    minItems?: number;
    pattern?: string;
  };
  const types = [type].flat();
  const values: [string, unknown][] = [
    ['integer', 3],
    ['integer', -1.5],
    ['boolean', true],
    ['array', []],
    ['object', {}],
    ['null', null],
    ['string', 'text'],
  ];
  const wrong = values.filter(([kind]) => !types.includes(kind)).map(([, value]) => value);
  if (types.includes('string') && (minLength ?? (pattern === undefined ? 0 : 1)) > 0) {
    wrong.push('', '  ');
  }
  if (types.includes('string')) wrong.push('a\u0000b', '\ud800');
  if (types.includes('integer')) wrong.push('7', -1, 1.5, 1e9);
  if (types.includes('array') && minItems !== undefined) wrong.push([], [''], [3], [null]);
  return wrong;
}
