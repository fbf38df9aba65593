import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { needsPostgres } from '@floy/testing/needs';
import { examples, makeThings, type Things } from '../testing/examples.js';
import { startTestGateway, type TestGateway } from '../testing/gateway.js';

const describePostgres = await needsPostgres();

describePostgres('a POST with an Idempotency-Key', () => {
  let gateway: TestGateway;
  let things: Things;
  beforeAll(async () => {
    gateway = await startTestGateway();
    things = await makeThings(gateway);
  });
  afterAll(() => gateway.stop());

  const wish = () => ({
    version_id: things.version,
    application_ids: [things.application],
    environment_id: things.environment,
  });
  const keyed = (key: string) => ({ 'Idempotency-Key': key });
  const count = async (table: string) => {
    const [row] = await gateway.db.query<{ n: number }>(`SELECT count(*)::int n FROM ${table}`);
    return row?.n;
  };

  it('sent 50 times at once makes one deployment and answers all the same', async () => {
    const sending = { body: wish(), headers: keyed('fifty') };
    const all = Array.from({ length: 50 }, () => gateway.send('POST', '/deployments', sending));
    const answers = await Promise.all(all);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(new Set(answers.map(({ headers }) => headers.get('location'))).size).toBe(1);
    expect(await count('deployments')).toBe(1);
    const [messages] = await gateway.db.query<{ n: number }>(
      `SELECT count(*)::int n FROM messages WHERE kind = 'start-deployment'`,
    );
    expect(messages?.n).toBe(1);
  });

  it('is a conflict with another body, and free for another token or route', async () => {
    const headers = keyed('one key');
    const body = { ...examples.version, git_tag: 'v2.0.0' };
    const first = await gateway.send('POST', '/versions', { body, headers });
    expect(first.status).toBe(201);
    const other = { ...body, git_tag: 'v2.0.1' };
    const clash = await gateway.send('POST', '/versions', { body: other, headers });
    expect(clash).toMatchObject({ status: 409, body: { error: { code: 'RESOURCE_CONFLICT' } } });
    const again = await gateway.send('POST', '/versions', { body, headers });
    expect(again).toMatchObject({ status: 201, body: first.body });
    const elsewhere = { body: other, headers, as: 'deployer' } as const;
    expect(await gateway.send('POST', '/versions', elsewhere)).toMatchObject({ status: 201 });
    const application = { ...examples.application, name: 'keyed' };
    const made = await gateway.send('POST', '/applications', { body: application, headers });
    expect(made.status).toBe(201);
  });

  it('stores nothing of a request that is refused', async () => {
    const headers = keyed('refused');
    const before = await gateway.contents();
    const wrong = { ...wish(), version_id: 'ver_none' };
    const refused = await gateway.send('POST', '/deployments', { body: wrong, headers });
    expect(refused.status).toBe(404);
    expect(await gateway.contents()).toBe(before);
    const right = await gateway.send('POST', '/deployments', { body: wish(), headers });
    expect(right.status).toBe(201);
  });

  it('keeps no secret of an answer readable', async () => {
    const body = { name: 't', owner: 'o', role: 'viewer' };
    const headers = keyed('token');
    const first = await gateway.send('POST', '/tokens', { body, headers });
    const again = await gateway.send('POST', '/tokens', { body, headers });
    expect(again.body).toEqual(first.body);
    const rows = await gateway.db.query<{ answer: Buffer }>('SELECT answer FROM idempotency_keys');
    for (const { answer } of rows) {
      expect(answer.toString('latin1')).not.toContain(String(first.body['token']));
    }
  });

  it('must be of printable characters', async () => {
    for (const key of ['é', 'x'.repeat(256)]) {
      const sending = { body: wish(), headers: keyed(key) };
      expect(await gateway.send('POST', '/deployments', sending)).toMatchObject({ status: 400 });
    }
  });
});
