import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { QuestionAnswer } from '@floy/contracts';
import { answerQuestion, beginQuestion } from '@floy/database/repositories/questions';
import { needsPostgres } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { examples, makeThings, type Things } from '../testing/examples.js';
import { startTestGateway, type TestGateway } from '../testing/gateway.js';

const describePostgres = await needsPostgres();
const host = '192.168.1.10';

describePostgres('questions to hosts', () => {
  let gateway: TestGateway;
  let things: Things;
  const asked: string[] = [];
  beforeAll(async () => {
    gateway = await startTestGateway();
    things = await makeThings(gateway);
  });
  afterAll(() => gateway.stop());

  const command = (body: object, key?: string) =>
    gateway.send('POST', `/environments/${things.environment}/commands`, {
      body,
      headers: key === undefined ? {} : { 'Idempotency-Key': key },
    });
  const nextQuestion = () =>
    waitFor('a question', async () => {
      const rows = await gateway.db.query<{ id: string }>('SELECT id FROM questions ORDER BY id');
      const row = rows.find(({ id }) => !asked.includes(id));
      if (row !== undefined) asked.push(row.id);
      return row?.id;
    });
  const begin = (id: string) =>
    gateway.database.transaction((tx) => beginQuestion(tx, gateway.sealer, id));
  const answer = (id: string, given: QuestionAnswer) =>
    gateway.database.transaction((tx) => answerQuestion(tx, gateway.sealer, id, given));
  const result = { host, success: true, output: 'hello', error: '' };

  it('are answered by a deployer, and leave nothing readable', async () => {
    const answered = command({ command: 'echo a-very-secret-word', hosts: [host] });
    const id = await nextQuestion();
    expect(await begin(id)).toMatchObject({
      environmentId: things.environment,
      question: { kind: 'run-command', command: 'echo a-very-secret-word', hosts: [host] },
    });
    expect(await begin(id)).toBeUndefined();
    await answer(id, { ok: true, value: [result] });
    expect(await answered).toMatchObject({ status: 200, body: { results: [result] } });
    for (const table of ['questions', 'messages', 'events']) {
      const rows = await gateway.db.query<object>(`SELECT x::text FROM ${table} x`);
      expect(JSON.stringify(rows)).not.toMatch(/very-secret/);
    }
  });

  it('stand in the audit with their command, without secrets, and with how they ended', async () => {
    const made = await gateway.send('POST', '/environments', {
      body: {
        ...examples.physicalConfig,
        name: 'audited',
        config: { ...examples.physicalConfig.config, secrets: { PASSWORD: 'sentinel-91b2' } },
      },
    });
    const id = String(made.body['id']);
    const send = (command: string) =>
      gateway.send('POST', `/environments/${id}/commands`, { body: { command, hosts: [host] } });
    const said = send('login --user me --password another sentinel-91b2');
    const first = await nextQuestion();
    await begin(first);
    await answer(first, { ok: true, value: [result] });
    expect((await said).status).toBe(200);
    const refused = send('date');
    const second = await nextQuestion();
    await begin(second);
    await answer(second, { ok: false, refused: 'conflict', message: 'in work', details: {} });
    expect((await refused).status).toBe(409);

    const { body } = await gateway.send('GET', '/audit?page_size=4');
    const command = 'login --user me --password *** ***';
    const lines = [
      { outcome: 409, data: { command: 'date', hosts: [host] } },
      { outcome: 202, data: { command: 'date', hosts: [host] } },
      { outcome: 200, data: { command, hosts: [host] } },
      { outcome: 202, data: { command, hosts: [host] } },
    ];
    expect(body).toMatchObject({ entries: lines });
    const [a, b] = body['entries'] as { request_id: string }[];
    expect(a?.request_id).toBe(b?.request_id);
    const rows = await gateway.db.query<object>('SELECT x::text FROM audit x');
    expect(JSON.stringify(rows)).not.toMatch(/sentinel-91b2|another/);
  });

  it('are a conflict while the target is in work', async () => {
    const answered = command({ command: 'true' }, 'while busy');
    const id = await nextQuestion();
    await begin(id);
    const details = { release: 'rel_1' };
    await answer(id, { ok: false, refused: 'conflict', message: 'in work', details });
    expect(await answered).toMatchObject({
      status: 409,
      body: { error: { code: 'RESOURCE_CONFLICT', message: 'in work', details } },
    });
    const again = command({ command: 'true' }, 'while busy');
    const second = await nextQuestion();
    await begin(second);
    await answer(second, { ok: true, value: [result] });
    expect(await again).toMatchObject({ status: 200 });
  });

  it('that nobody answers in time are 503, and say when the outcome is unknown', async () => {
    const untouched = await command({ command: 'true', timeout: 1 });
    await nextQuestion();
    expect(untouched).toMatchObject({
      status: 503,
      body: { error: { code: 'SERVICE_UNAVAILABLE', message: expect.stringMatching(/nothing/) } },
    });
    const lost = command({ command: 'true', timeout: 1 }, 'lost');
    await begin(await nextQuestion());
    await gateway.db.query(`UPDATE questions SET answer_by = now() - interval '1 minute'`);
    expect(await lost).toMatchObject({
      status: 503,
      body: { error: { message: expect.stringMatching(/not known/) } },
    });
    const repeated = await command({ command: 'true', timeout: 1 }, 'lost');
    expect(repeated.status).toBe(503);
    expect(repeated.body).toEqual((await lost).body);
  }, 15_000);

  it('sent again with their Idempotency-Key are asked once', async () => {
    const before = asked.length;
    const first = command({ command: 'date' }, 'once');
    const id = await nextQuestion();
    const second = command({ command: 'date' }, 'once');
    await begin(id);
    await answer(id, { ok: true, value: [result] });
    const answers = await Promise.all([first, second]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers[1].body).toEqual(answers[0].body);
    const rows = await gateway.db.query('SELECT id FROM questions');
    expect(rows.length).toBe(before + 1);
  });

  it('name hosts and services that the environment has', async () => {
    const at = `/environments/${things.environment}`;
    const elsewhere = await command({ command: 'true', hosts: ['10.9.9.9'] });
    expect(elsewhere).toMatchObject({ status: 400 });
    const unknown = await gateway.send('GET', `${at}/services/nothing/status`);
    expect(unknown).toMatchObject({ status: 404 });
    const artifact = { body: { sha256: 'b'.repeat(64) } };
    expect(await gateway.send('POST', `${at}/artifacts`, artifact)).toMatchObject({ status: 404 });

    const [application] = await gateway.db.query<{ name: string }>(
      'SELECT name FROM applications WHERE id = $1',
      [things.application],
    );
    const status = gateway.send('GET', `${at}/services/${application!.name}/status?hosts=${host}`);
    const id = await nextQuestion();
    const begun = await begin(id);
    expect(begun?.question).toMatchObject({ applicationId: things.application, hosts: [host] });
    const running = { host, running: true, status: 'active', pid: 7, uptime: '1h' };
    await answer(id, { ok: true, value: [running] });
    expect(await status).toMatchObject({
      status: 200,
      body: { service: application!.name, statuses: [running] },
    });
  });

  it('approve the key of a host', async () => {
    const fingerprint = `SHA256:${'A'.repeat(43)}`;
    const path = `/environments/${things.environment}/host-keys`;
    const approved = await gateway.send('POST', path, { body: { host, fingerprint } });
    expect(approved).toMatchObject({ status: 201, body: { host, port: 22, fingerprint } });
    const rows = await gateway.db.query('SELECT pinned_by, fingerprint FROM host_keys');
    expect(rows).toEqual([{ pinned_by: 'admin@example.com', fingerprint }]);
  });
});
