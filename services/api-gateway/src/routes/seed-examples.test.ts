import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { needsPostgres } from '@floy/testing/needs';
import { examples } from '../testing/examples.js';
import { startTestGateway, type Json, type TestGateway } from '../testing/gateway.js';

const describePostgres = await needsPostgres();

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
const text = expect.any(String);
const id = (prefix: string) => expect.stringMatching(new RegExp(`^${prefix}_[0-9a-z]{26}$`));

describePostgres('the examples of the specification, sent as they stand', () => {
  let gateway: TestGateway;
  const ids: Record<string, string> = {};

  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway.stop());

  const post = (path: string, body: Json) => gateway.send('POST', path, { body });
  const version = () => ({
    id: id('ver'),
    ...examples.version,
    created_by: 'admin@example.com',
    created_at: time,
  });
  const application = (shown: Json) => ({
    id: id('app'),
    ...shown,
    repository: examples.application.repository,
    created_at: time,
    updated_at: time,
  });
  const environment = ({ config, ...shown }: { config: Json } & Json) => ({
    id: id('env'),
    ...shown,
    config: { ...config, kubeconfig: '<redacted>' },
    created_at: time,
    updated_at: time,
  });
  const deployment = (shown: Json) => ({
    id: id('dep'),
    version_id: ids['version'],
    application_ids: [ids['application'], ids['application2']],
    environment_id: ids['environment'],
    created_by: 'admin@example.com',
    created_at: time,
    updated_at: time,
    started_at: null,
    completed_at: null,
    error_message: '',
    ...shown,
  });

  it('versions: create, list, show', async () => {
    const created = await post('/versions', examples.version);
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject(version());
    ids['version'] = String(created.body['id']);
    expect(created.headers.get('location')).toBe(`/api/v1/versions/${ids['version']}`);
    const shown = await gateway.send('GET', `/versions/${ids['version']}`);
    expect(shown).toMatchObject({ status: 200, body: created.body });
    const repository = encodeURIComponent(examples.version.repository);
    const query = `?repository=${repository}&page=1&page_size=20`;
    const list = await gateway.send('GET', `/versions${query}`);
    expect(list.status).toBe(200);
    expect(list.body).toEqual({ versions: [created.body], total: 1, page: 1, page_size: 20 });
  });

  it('applications: create, list, show, update', async () => {
    const created = await post('/applications', examples.application);
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject(application(examples.application));
    ids['application'] = String(created.body['id']);
    const list = await gateway.send('GET', '/applications?type=microservice');
    expect(list.body).toEqual({ applications: [created.body], total: 1, page: 1, page_size: 20 });
    const path = `/applications/${ids['application']}`;
    expect(await gateway.send('GET', path)).toMatchObject({ status: 200, body: created.body });
    const changed = await gateway.send('PUT', path, { body: examples.applicationChange });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject(application(examples.applicationChange));
    const second = await post('/applications', { ...examples.application, name: 'second' });
    ids['application2'] = String(second.body['id']);
  });

  it('environments: create, list, show, update', async () => {
    const created = await post('/environments', examples.environment);
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject(environment(examples.environment));
    ids['environment'] = String(created.body['id']);
    const list = await gateway.send('GET', '/environments?type=kubernetes&is_active=true');
    expect(list.body).toEqual({ environments: [created.body], total: 1, page: 1, page_size: 20 });
    const path = `/environments/${ids['environment']}`;
    expect(await gateway.send('GET', path)).toMatchObject({ status: 200, body: created.body });
    const changed = await gateway.send('PUT', path, { body: examples.environmentChange });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject(environment(examples.environmentChange));
  });

  it('takes the two configuration examples', async () => {
    const kubernetes = await post('/environments', { ...examples.kubernetesConfig, name: 'k' });
    expect(kubernetes.status).toBe(201);
    expect(kubernetes.body).toMatchObject({ is_active: true, config: { timeout: 600 } });
    const physical = await post('/environments', { ...examples.physicalConfig, name: 'p' });
    expect(physical.status).toBe(201);
    expect(physical.body['config']).toEqual({
      ...examples.physicalConfig.config,
      ssh_key: '<redacted>',
    });
  });

  it('deployments: create, list, show, cancel', async () => {
    const body = {
      version_id: ids['version'],
      application_ids: [ids['application'], ids['application2']],
      environment_id: ids['environment'],
    };
    const created = await post('/deployments', body);
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject(deployment({ status: 'pending' }));
    ids['deployment'] = String(created.body['id']);
    const query = `status=pending&environment_id=${ids['environment']}&version_id=${ids['version']}`;
    const list = await gateway.send('GET', `/deployments?${query}`);
    expect(list.body).toEqual({ deployments: [created.body], total: 1, page: 1, page_size: 20 });
    const path = `/deployments/${ids['deployment']}`;
    expect(await gateway.send('GET', path)).toMatchObject({ status: 200, body: created.body });
    const cancelled = await post(`${path}/cancel`, {});
    expect(cancelled.status).toBe(200);
    const error_message = expect.stringMatching(/^Deployment cancelled by user \S+$/);
    expect(cancelled.body).toMatchObject(
      deployment({ status: 'failed', error_message, completed_at: time }),
    );
  });

  it('rolls back to a version that was healthy there', async () => {
    const earlier = { ...examples.version, git_tag: 'v0.9.0' };
    const target = String((await post('/versions', earlier)).body['id']);
    ids['target'] = target;
    await makeHealthy(target);
    const live = await post('/deployments', {
      version_id: ids['version'],
      application_ids: [ids['application']],
      environment_id: ids['environment'],
    });
    await gateway.db.query(
      `UPDATE deployments SET status = 'running', started_at = now() WHERE id = $1`,
      [live.body['id']],
    );
    await gateway.db.query(
      `UPDATE deployments SET status = 'success', completed_at = now(), settled_at = now(),
       phase = 'done' WHERE id = $1`,
      [live.body['id']],
    );
    const path = `/deployments/${String(live.body['id'])}/rollback`;
    const rollback = await post(path, { target_version_id: target });
    expect(rollback.status).toBe(201);
    expect(rollback.body).toMatchObject(
      deployment({
        version_id: target,
        application_ids: [ids['application']],
        status: 'pending',
        rollback_of: live.body['id'],
      }),
    );
  });

  it('tasks: list, show, retry', async () => {
    const task = await failedTask();
    const shown = {
      id: task,
      deployment_id: ids['deployment'],
      type: 'build',
      status: 'failed',
      payload: text,
      result: text,
      created_at: time,
      updated_at: time,
      started_at: time,
      completed_at: time,
    };
    const list = await gateway.send('GET', `/tasks?deployment_id=${ids['deployment']}&type=build`);
    expect(list.body).toMatchObject({ tasks: [shown], total: 1, page: 1, page_size: 20 });
    const one = await gateway.send('GET', `/tasks/${task}`);
    expect(one.status).toBe(200);
    expect(one.body).toMatchObject(shown);
    const retried = await post(`/tasks/${task}/retry`, {});
    expect(retried.status).toBe(200);
    expect(retried.body).toMatchObject({
      ...shown,
      status: 'pending',
      result: '',
      started_at: null,
      completed_at: null,
    });
  });

  it('deletes what no deployment names', async () => {
    const messages = {
      versions: 'Version',
      applications: 'Application',
      environments: 'Environment',
    };
    const bodies = {
      versions: { ...examples.version, git_tag: 'v9' },
      applications: { ...examples.application, name: 'unused' },
      environments: { ...examples.environment, name: 'unused' },
    };
    for (const [path, word] of Object.entries(messages)) {
      const { body } = await post(`/${path}`, bodies[path as keyof typeof bodies]);
      const removed = await gateway.send('DELETE', `/${path}/${String(body['id'])}`);
      expect(removed.status).toBe(200);
      expect(removed.body).toEqual({ message: `${word} deleted successfully` });
    }
    const named = await gateway.send('DELETE', `/versions/${ids['version']}`);
    expect(named.status).toBe(409);
    expect(named.body).toMatchObject({ error: { code: 'RESOURCE_CONFLICT' } });
  });

  /** What a healthy run of a version on the environment leaves behind. */
  async function makeHealthy(version: string): Promise<void> {
    const { application, environment } = ids;
    await gateway.db.query(
      `WITH d AS (INSERT INTO deployments (id, version_id, environment_id, created_by)
         VALUES ('dep_h', $1, $2, 'x') RETURNING id),
       w AS (INSERT INTO workflows (id, deployment_id) SELECT 'wf_h', id FROM d RETURNING id),
       t AS (INSERT INTO tasks (id, deployment_id, workflow_id, application_id, type, position)
         SELECT 'task_h', 'dep_h', id, $3, 'deploy', 0 FROM w RETURNING id),
       r AS (INSERT INTO releases (id, deployment_id, task_id, application_id, environment_id,
           deployer, version_id, version, service, batches, timeout_seconds)
         SELECT 'rel_h', 'dep_h', id, $3, $2, 'physical', $1, 'v', 's', '{1}', 300 FROM t
         RETURNING id),
       g AS (INSERT INTO targets (id, kind, place_key, place, environment_id, application_id,
           instance_id) VALUES ('tgt_h', 'physical', 'h 22 /p', '{}', $2, $3, 'i') RETURNING id)
       INSERT INTO healthy_releases (target_id, release_id) SELECT g.id, r.id FROM g, r`,
      [version, environment, application],
    );
  }

  /** A failed build of the cancelled deployment, as a runner leaves one behind. */
  async function failedTask(): Promise<string> {
    const task = 'task_00000000000000000000000000';
    await gateway.db.query(
      `WITH w AS (INSERT INTO workflows (id, deployment_id, status)
         VALUES ('wf_00000000000000000000000000', $1, 'failed') RETURNING id)
       INSERT INTO tasks (id, deployment_id, workflow_id, application_id, type, position, status,
         payload, result, started_at, completed_at)
       SELECT $2, $1, id, $3, 'build', 0, 'failed', '{"build_config":{}}', '{"code":"TASK_FAILED"}',
         now(), now() FROM w`,
      [ids['deployment'], task, ids['application']],
    );
    await gateway.db.query(
      `UPDATE deployments SET settled_at = now(), phase = 'done', started_at = now() WHERE id = $1`,
      [ids['deployment']],
    );
    return task;
  }
});
