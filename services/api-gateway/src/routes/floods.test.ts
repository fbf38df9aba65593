import { request } from 'node:http';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createClient } from '@floy/client/client';
import { needsPostgres } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { makeThings } from '../testing/examples.js';
import { startTestGateway, type TestGateway } from '../testing/gateway.js';

const describePostgres = await needsPostgres();
const MB = 1024 * 1024;

describePostgres('a token that floods the gateway', () => {
  let gateway: TestGateway;
  let deployment: string;
  let task: string;
  beforeAll(async () => {
    gateway = await startTestGateway();
    const { version, application, environment } = await makeThings(gateway);
    const { id } = await createClient({
      url: gateway.url,
      token: gateway.tokens.admin,
    }).createDeployment({
      version_id: version,
      application_ids: [application],
      environment_id: environment,
    });
    deployment = id;
    task = 'task_11111111111111111111111111';
    await gateway.db.query(
      `WITH w AS (INSERT INTO workflows (id, deployment_id)
         VALUES ('wf_11111111111111111111111111', $1) RETURNING id)
       INSERT INTO tasks (id, deployment_id, workflow_id, application_id, type, position, status,
         started_at, completed_at)
       SELECT $2, $1, id, $3, 'build', 0, 'failed', now(), now() FROM w`,
      [deployment, task, application],
    );
  });
  afterAll(() => gateway.stop());

  const viewer = () => ({ Authorization: `Bearer ${gateway.tokens.viewer}` });
  const logs = () => `${gateway.url}/api/v1/tasks/${task}/logs`;

  it('gets a log of megabytes of control characters in small pieces, and all of it', async () => {
    // As a build prints it: pieces of half a megabyte, which JSON makes six times as long.
    await gateway.db.query(
      `INSERT INTO task_logs (task_id, seq, text)
       SELECT $1, n, repeat(E'\\x01', $2) FROM generate_series(1, 20) AS n`,
      [task, MB / 2],
    );
    let after = 0;
    for (let complete = false; !complete;) {
      const text = await (await fetch(`${logs()}?after=${after}`, { headers: viewer() })).text();
      expect(text.length).toBeLessThan(8 * MB);
      const answer = JSON.parse(text) as { complete: boolean; lines: { seq: number }[] };
      expect(answer.lines.map(({ seq }) => seq)).toContain(after + 1);
      after = answer.lines.at(-1)?.seq ?? 0;
      complete = answer.complete;
    }
    expect(after).toBe(20);
  });

  it('has a share of it: live answers beyond that are refused, and others go on', async () => {
    const statuses: (number | undefined)[] = [];
    const open = Array.from({ length: 110 }, () => {
      const url = `${gateway.url}/api/v1/deployments/${deployment}/events`;
      const sent = request(url, { headers: { ...viewer(), Accept: 'text/event-stream' } });
      sent.once('response', (response) => statuses.push(response.resume().statusCode));
      sent.on('error', () => undefined);
      return sent.end();
    });
    await waitFor('all to be answered', async () => statuses.length === open.length);
    expect(statuses.filter((status) => status === 200)).toHaveLength(100);
    expect(statuses.filter((status) => status === 429)).toHaveLength(10);
    expect((await gateway.send('GET', '/versions', { as: 'deployer' })).status).toBe(200);
    for (const each of open) each.destroy();
    const status = async () => (await gateway.send('GET', '/versions', { as: 'viewer' })).status;
    await waitFor('its share to be free', async () => (await status()) === 200);
  });
});
