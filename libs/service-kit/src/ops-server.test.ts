import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createMetrics } from './metrics.js';
import { startOpsServer, type Checks, type OpsServer } from './ops-server.js';

let server: OpsServer;
let checks: () => Checks | Promise<Checks> = () => ({});
const metrics = createMetrics();
const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${server.port}${path}`);

beforeAll(async () => {
  server = await startOpsServer({ host: '127.0.0.1', port: 0, metrics, checks: () => checks() });
});
afterAll(() => server.close());

describe('health and metrics', () => {
  it('says that the process answers, whatever it depends on', async () => {
    checks = () => ({ database: { status: 'down' } });
    expect((await get('/healthz')).status).toBe(200);
  });

  it.each([
    ['ok', 200],
    ['degraded', 200],
    ['down', 503],
  ] as const)('is %s when a check is', async (status, code) => {
    checks = () => ({ database: { status: 'ok' }, queue: { status, reason: 'because' } });
    const answer = await get('/readyz');
    expect(answer.status).toBe(code);
    expect(await answer.json()).toEqual({
      status,
      checks: { database: { status: 'ok' }, queue: { status, reason: 'because' } },
    });
  });

  it('is down when a check fails or does not answer', async () => {
    checks = () => Promise.reject(new Error('lost'));
    expect(await (await get('/readyz')).json()).toMatchObject({ status: 'down' });
    checks = () => new Promise(() => undefined);
    expect((await get('/readyz')).status).toBe(503);
  });

  it('serves the process’ metrics and one’s own, the same under the same name', async () => {
    metrics.counter('sample_total', 'Samples', ['kind']).inc({ kind: 'a' });
    metrics.counter('sample_total', 'Samples', ['kind']).inc({ kind: 'a' });
    const answer = await get('/metrics');
    expect(answer.headers.get('content-type')).toContain('text/plain');
    const text = await answer.text();
    expect(text).toContain('sample_total{kind="a"} 2');
    expect(text).toContain('process_resident_memory_bytes');
  });

  it('knows nothing else', async () => {
    expect((await get('/')).status).toBe(404);
  });
});
