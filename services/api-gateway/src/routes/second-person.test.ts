import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Role } from '@floy/contracts';
import { needsPostgres } from '@floy/testing/needs';
import { managersOf, sshKey } from '../testing/begun.js';
import { startTestGateway, type TestGateway } from '../testing/gateway.js';

const describePostgres = await needsPostgres();

describePostgres('approval "second-person"', () => {
  let gateway: TestGateway;
  let versionId: string;
  const environments: Record<string, string> = {};
  const repository = 'https://github.com/org/approved';
  beforeAll(async () => {
    gateway = await startTestGateway();
    versionId = await made('/versions', { git_tag: 'v1', git_commit: 'abc1234', repository });
    const config = { hosts: ['h1'], ssh_key: sshKey(), deploy_path: '/srv/{{application}}' };
    for (const approval of ['second-person', true] as const) {
      const body = { name: `e-${approval}`, type: 'physical', config: { ...config, approval } };
      environments[String(approval)] = await made('/environments', body);
    }
  });
  afterAll(() => gateway.stop());

  const made = async (path: string, body: object, token?: string): Promise<string> => {
    const answer = await gateway.send('POST', path, { body, ...(token ? { token } : {}) });
    expect(answer).toMatchObject({ status: 201 });
    return String(answer.body['id']);
  };
  const tokenOf = async (owner: string, role: Role = 'deployer'): Promise<string> => {
    const body = { name: `of ${owner}`, owner, role };
    return String((await gateway.send('POST', '/tokens', { body })).body['token']);
  };
  let names = 0;
  /** A deployment that somebody made, admitted; planned unless that is left to the test. */
  async function begun(token: string, approval = 'second-person', plan = true): Promise<string> {
    names += 1;
    const application = { name: `app-${names}`, repository, type: 'service' };
    const application_ids = [await made('/applications', application)];
    const environment_id = environments[approval];
    const wish = { version_id: versionId, application_ids, environment_id };
    const id = await made('/deployments', wish, token);
    expect(await managersOf(gateway).admit(id)).toBe('admitted');
    if (plan) await managersOf(gateway).plan(id);
    return id;
  }
  const approve = async (id: string, token: string): Promise<number> =>
    (await gateway.send('POST', `/deployments/${id}/approve`, { token })).status;
  const approvedOf = async (id: string) =>
    (await gateway.db.query('SELECT approved FROM deployments WHERE id = $1', [id]))[0];

  it('who made a deployment cannot approve it, by no token of theirs and in no role', async () => {
    const ann = await tokenOf('ann@example.com');
    const id = await begun(ann);
    const others = ['ann@example.com', ' Ann@Example.com'];
    const tokens = [ann, await tokenOf(others[0]!), await tokenOf(others[1]!)];
    for (const token of [...tokens, await tokenOf('ann@example.com', 'admin')]) {
      const answer = await gateway.send('POST', `/deployments/${id}/approve`, { token });
      expect(answer).toMatchObject({ status: 403, body: { error: { code: 'FORBIDDEN' } } });
      expect(JSON.stringify(answer.body)).toContain('somebody else has to approve it');
    }
    expect(await approvedOf(id)).toEqual({ approved: false });
    expect(await approve(id, await tokenOf('bob@example.com'))).toBe(200);
    expect(await approvedOf(id)).toEqual({ approved: true });
  });

  it('an admin who made a deployment cannot approve it either', async () => {
    const id = await begun(gateway.tokens.admin);
    expect(await approve(id, gateway.tokens.admin)).toBe(403);
    expect(await approve(id, gateway.tokens.deployer)).toBe(200);
  });

  it('a deployer cannot become a second person by a token of another owner', async () => {
    const body = { name: 't', owner: 'somebody', role: 'deployer' };
    const answer = await gateway.send('POST', '/tokens', { body, as: 'deployer' });
    expect(answer.status).toBe(403);
  });

  it('who retried a deployment has made it too, and an approval of before counts no more', async () => {
    const [ann, bob, eve] = [await tokenOf('ann'), await tokenOf('bob'), await tokenOf('eve')];
    for (const kind of ['tasks', 'workflows']) {
      const id = await begun(ann);
      expect(await approve(id, bob)).toBe(200);
      const cancelled = await gateway.send('POST', `/deployments/${id}/cancel`, { token: ann });
      expect(cancelled.status).toBe(200);
      const [row] = await gateway.db.query<{ id: string }>(
        `SELECT id FROM ${kind} WHERE deployment_id = $1 ORDER BY id LIMIT 1`,
        [id],
      );
      const retried = await gateway.send('POST', `/${kind}/${row?.id}/retry`, { token: bob });
      expect(retried).toMatchObject({ status: 200 });
      expect(await managersOf(gateway).admit(id)).toBe('admitted');
      await managersOf(gateway).plan(id);
      expect(await approvedOf(id)).toEqual({ approved: false });
      expect([await approve(id, ann), await approve(id, bob)]).toEqual([403, 403]);
      expect(await approve(id, eve)).toBe(200);
    }
  });

  it('an approval sent before the plan is there, which says that it needs another, is refused', async () => {
    const ann = await tokenOf('early');
    const id = await begun(ann, 'second-person', false);
    expect(await approve(id, ann)).toBe(409);
    await managersOf(gateway).plan(id);
    expect(await approvedOf(id)).toEqual({ approved: false });
    expect(await approve(id, ann)).toBe(403);
  });

  it('a promotion is no approval, and is refused until there is one, with what is awaited', async () => {
    const ann = await tokenOf('hasty');
    const id = await begun(ann);
    const promote = () => gateway.send('POST', `/deployments/${id}/promote`, { token: ann });
    expect(await promote()).toMatchObject({
      status: 409,
      body: { error: { details: { waiting_for: 'Approval' } } },
    });
    expect(await approvedOf(id)).toEqual({ approved: false });
    const path = `/deployments/${id}/approve`;
    expect(await gateway.send('POST', path, { token: await tokenOf('bob') })).toMatchObject({
      status: 200,
      body: { approved_by: 'bob', promoted_by: '' },
    });
    expect(await promote()).toMatchObject({ status: 200, body: { promoted_by: 'hasty' } });
  });

  it('the answer says who paused, aborted and cancelled a deployment', async () => {
    const ann = await tokenOf('ann');
    const steer = async (id: string, steering: string) =>
      (await gateway.send('POST', `/deployments/${id}/${steering}`, { token: ann })).body;
    const aborted = await begun(ann, 'true');
    expect(await steer(aborted, 'pause')).toMatchObject({ paused_by: 'ann' });
    expect(await steer(aborted, 'resume')).toMatchObject({ paused_by: '' });
    expect(await steer(aborted, 'abort')).toMatchObject({ aborted_by: 'ann' });
    expect(await steer(await begun(ann, 'true'), 'cancel')).toMatchObject({
      cancelled_by: 'ann',
      error_message: 'Deployment cancelled by user ann',
    });
  });

  it('with `true` any person may approve, who made it as well', async () => {
    const ann = await tokenOf('alone');
    expect(await approve(await begun(ann, 'true'), ann)).toBe(200);
  });

  it('says what it may be', async () => {
    const config = { hosts: ['h'], ssh_key: 'k', deploy_path: '/srv/x', approval: 'third-person' };
    const body = { name: 'wrong', type: 'physical', config };
    expect(await gateway.send('POST', '/environments', { body })).toMatchObject({
      status: 400,
      body: { error: { details: { 'config.approval': 'must be true, false or second-person' } } },
    });
  });
});
