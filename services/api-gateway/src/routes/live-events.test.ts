import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createClient } from '@floy/client/client';
import { needsPostgres } from '@floy/testing/needs';
import { makeThings, type Things } from '../testing/examples.js';
import { startTestGateway, type TestGateway } from '../testing/gateway.js';

const describePostgres = await needsPostgres();

describePostgres('live answers', () => {
  let gateway: TestGateway;
  let things: Things;
  beforeAll(async () => {
    gateway = await startTestGateway();
    things = await makeThings(gateway);
  });
  afterAll(() => gateway.stop());

  const client = () => createClient({ url: gateway.url, token: gateway.tokens.admin });
  const deploy = () =>
    client().createDeployment({
      version_id: things.version,
      application_ids: [things.application],
      environment_id: things.environment,
    });

  it('tell the history of a deployment and then what happens', async () => {
    const { id } = await deploy();
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const event of client().events(id, { signal: stop.signal })) {
      seen.push(`${event.seq} ${event.type}`);
      if (event.seq === 1) await client().cancelDeployment(id);
      if (event.type === 'deployment.settled') stop.abort();
    }
    const history = await client().listEvents(id);
    expect(seen).toEqual(history.map(({ seq, type }) => `${seq} ${type}`));
    expect(seen[0]).toBe('1 deployment.created');
    expect(seen).toContain('2 deployment.cancelled');
  });

  it('resume behind Last-Event-ID', async () => {
    const { id } = await deploy();
    await client().cancelDeployment(id);
    const history = await client().listEvents(id);
    const response = await fetch(`${gateway.url}/api/v1/deployments/${id}/events`, {
      headers: {
        Authorization: `Bearer ${gateway.tokens.viewer}`,
        Accept: 'text/event-stream',
        'Last-Event-ID': '1',
      },
    });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes('deployment.settled')) break;
    }
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, seq]) => Number(seq));
    expect(ids).toEqual(history.slice(1).map(({ seq }) => seq));
    expect(await client().listEvents(id, { after: 1, limit: 1 })).toEqual([history[1]]);
  });

  it('end with the token that asked', async () => {
    const { id } = await deploy();
    const token = await client().createToken({ name: 'short', owner: 'x', role: 'viewer' });
    const response = await fetch(`${gateway.url}/api/v1/deployments/${id}/events`, {
      headers: { Authorization: `Bearer ${token.token}`, Accept: 'text/event-stream' },
    });
    const reading = response.text();
    await client().revokeToken(token.id);
    expect(await reading).toContain('deployment.created');
  });

  it('wait for a deployment by its history', async () => {
    const { id } = await deploy();
    const waiting = client().waitForDeployment(id);
    await client().cancelDeployment(id);
    expect(await waiting).toMatchObject({ id, status: 'failed' });
    const other = await deploy();
    const late = client().waitForDeployment(other.id, { timeoutMs: 50 });
    await expect(late).rejects.toThrow('Stopped waiting');
  });

  it('follow what a task prints, and end with it', async () => {
    const { id } = await deploy();
    const task = await runningTask(id);
    const print = (seq: number) =>
      gateway.db.query(`INSERT INTO task_logs (task_id, seq, text) VALUES ($1, $2, $3)`, [
        task,
        seq,
        `line ${seq}`,
      ]);
    await print(1);
    const seen: string[] = [];
    for await (const { text } of client().taskLogs(task)) {
      seen.push(text);
      if (seen.length === 1) {
        await print(2);
        await gateway.db.query(
          `UPDATE tasks SET status = 'failed', completed_at = now() WHERE id = $1`,
          [task],
        );
      }
    }
    expect(seen).toEqual(['line 1', 'line 2']);
    expect(await client().getTaskLogs(task, { limit: 1 })).toMatchObject({ complete: false });
    expect(await client().getTaskLogs(task, { after: 1 })).toMatchObject({
      task_id: task,
      complete: true,
      lines: [{ seq: 2, source: '', text: 'line 2' }],
    });
    const progress = await client().getProgress(id);
    expect(progress).toMatchObject({ total_tasks: 1, failed_tasks: 1, current_task: null });
    expect(await client().getHealth(id)).toMatchObject({ healthy: false, checks: [] });
    expect(await client().getDeploymentInfo(id)).toMatchObject({ replicas: 0, ready_replicas: 0 });
    expect((await client().getWorkflowOf(id)).tasks.map((each) => each.id)).toEqual([task]);
  });

  async function runningTask(deployment: string): Promise<string> {
    const task = 'task_11111111111111111111111111';
    await gateway.db.query(
      `WITH w AS (INSERT INTO workflows (id, deployment_id)
         VALUES ('wf_11111111111111111111111111', $1) RETURNING id)
       INSERT INTO tasks (id, deployment_id, workflow_id, application_id, type, position, status,
         started_at)
       SELECT $2, $1, id, $3, 'build', 0, 'running', now() FROM w`,
      [deployment, task, things.application],
    );
    return task;
  }
});
