import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { needsSshd } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { readLedger, runningOn } from './stage/application.js';
import { setStage, type Stage } from './stage/stage.js';

const describeHere = await needsSshd();

describeHere('a workflow', () => {
  let stage: Stage;
  let config: Record<string, unknown>;
  const tags = Array.from({ length: 30 }, (_, n) => `v1.${n}.0`);
  let used = 0;
  const nextTag = (): string => tags[used++] ?? '';

  beforeAll(async () => {
    stage = await setStage({
      queue: 'redis',
      hosts: 2,
      tags,
      applications: ['api', 'web'],
      config: { keep_releases: 2, batch_size: '100%' },
    });
    ({ config } = await stage.fleet.client.getEnvironment(stage.environmentId));
    const web = stage.applicationIds.get('web') ?? '';
    const application = await stage.fleet.client.getApplication(web);
    await stage.fleet.client.updateApplication(web, {
      config: { ...application.config, requires: ['api'] },
    });
  }, 90_000);
  afterAll(() => stage.stop(), 60_000);

  const configure = (more: Record<string, unknown>) =>
    stage.fleet.client.updateEnvironment(stage.environmentId, { config: { ...config, ...more } });
  const running = async (application: string) =>
    Promise.all(stage.places(application).map(runningOn));
  const tasksOf = async (id: string) =>
    (await stage.fleet.client.listTasks({ deployment_id: id, page_size: 100 })).tasks;
  const conflict = { status: 409 };

  it('refuses what requires an application that does not run there', async () => {
    await expect(stage.deploy(tags[0] ?? '', ['web'])).rejects.toMatchObject(conflict);
  });

  it('deploys what is required first', async () => {
    const tag = nextTag();
    const { id } = await stage.deploy(tag, ['web', 'api']);
    expect(await stage.settled(id)).toMatchObject({ status: 'success' });
    const deploys = (await tasksOf(id)).filter(({ type }) => type === 'deploy');
    const began = (name: string) =>
      deploys.find((task) => task.application_id === stage.applicationIds.get(name))?.started_at ??
      '';
    expect(began('api') < began('web')).toBe(true);
    expect([...(await running('api')), ...(await running('web'))]).toEqual([tag, tag, tag, tag]);
  }, 60_000);

  it('undoes every application when one of them fails', async () => {
    const before = (await running('api'))[0] ?? '';
    const tag = nextTag();
    await configure({
      health_check_command: `case "$FLOY_RELEASE_PATH $FLOY_VERSION" in */web-*${tag}) exit 1 ;; esac`,
    });
    const { id } = await stage.deploy(tag);
    expect(await stage.settled(id)).toMatchObject({ status: 'rolled_back' });
    expect([...(await running('api')), ...(await running('web'))]).toEqual(Array(4).fill(before));
    const undo = (await tasksOf(id)).filter(({ undo_of }) => undo_of !== null);
    const ended = (name: string) =>
      undo.find((task) => task.application_id === stage.applicationIds.get(name))?.completed_at ??
      '';
    expect(ended('web') < ended('api')).toBe(true);
  }, 60_000);

  it('retries a failed task with its id, with the settings of now', async () => {
    const [failed] = (
      await stage.fleet.client.listDeployments({ status: 'rolled_back', page_size: 1 })
    ).deployments;
    const id = failed?.id ?? '';
    const before = await tasksOf(id);
    const task = before.find(
      ({ status, not_run, undo_of }) => status === 'failed' && !not_run && undo_of === null,
    );
    const succeeded = before.find(({ type, status }) => type === 'build' && status === 'success');
    await expect(stage.fleet.client.retryTask(succeeded?.id ?? '')).rejects.toMatchObject(conflict);
    await configure({});
    expect(await stage.fleet.client.retryTask(task?.id ?? '')).toMatchObject({
      id: task?.id,
      status: 'pending',
      result: '',
      started_at: null,
      completed_at: null,
    });
    expect(await stage.settled(id)).toMatchObject({ status: 'success' });
    const after = await tasksOf(id);
    expect(after.find((each) => each.id === task?.id)).toMatchObject({ status: 'success' });
    expect(after.find((each) => each.id === succeeded?.id)?.completed_at).toBe(
      succeeded?.completed_at,
    );
    const version = await stage.fleet.client.getVersion(failed?.version_id ?? '');
    expect(await running('web')).toEqual([version.git_tag, version.git_tag]);
  }, 90_000);

  it('fails with its build and touches nothing', async () => {
    const before = await running('api');
    const api = stage.applicationIds.get('api') ?? '';
    const application = await stage.fleet.client.getApplication(api);
    await stage.fleet.client.updateApplication(api, {
      config: { ...application.config, build_command: 'echo no such thing; exit 3' },
    });
    const { id } = await stage.deploy(nextTag(), ['api']);
    const end = await stage.settled(id);
    expect(end.status).toBe('failed');
    expect(end.error_message).toContain('build_command');
    const tasks = await tasksOf(id);
    const build = tasks.find(({ type }) => type === 'build');
    const deploy = tasks.find(({ type }) => type === 'deploy');
    expect(JSON.parse(build?.result ?? '{}')).toMatchObject({ code: 'TASK_FAILED' });
    expect(JSON.parse(deploy?.result ?? '{}')).toMatchObject({ not_run: true });
    expect(await running('api')).toEqual(before);
    await expect(stage.fleet.client.retryTask(deploy?.id ?? '')).rejects.toMatchObject(conflict);
    await stage.fleet.client.updateApplication(api, { config: application.config });
    await stage.fleet.client.retryTask(build?.id ?? '');
    expect(await stage.settled(id)).toMatchObject({ status: 'success' });
  }, 90_000);

  it('waits for approval, and goes on when it has it', async () => {
    await configure({ approval: true });
    const { id } = await stage.deploy(nextTag(), ['api']);
    await waitFor('the wait for approval', async () => {
      return (await stage.fleet.client.getDeployment(id)).waiting_for === 'Approval';
    });
    await stage.fleet.client.steerDeployment(id, 'approve');
    expect(await stage.settled(id)).toMatchObject({ status: 'success' });
    await configure({});
  }, 60_000);

  it('bakes between batches, can be paused, promoted and aborted', async () => {
    await configure({ batch_size: '1', bake_seconds: 600 });
    const baking = async (id: string) =>
      waitFor('the bake', async () =>
        (await stage.fleet.client.getDeployment(id)).waiting_for.startsWith('Baking'),
      );
    const first = await stage.deploy(nextTag(), ['api']);
    await baking(first.id);
    await stage.fleet.client.steerDeployment(first.id, 'pause');
    expect(await stage.fleet.client.getDeployment(first.id)).toMatchObject({
      waiting_for: 'Paused',
    });
    await stage.fleet.client.steerDeployment(first.id, 'resume');
    await stage.fleet.client.steerDeployment(first.id, 'promote');
    expect(await stage.settled(first.id)).toMatchObject({ status: 'success' });
    const before = await running('api');

    const second = await stage.deploy(nextTag(), ['api']);
    await baking(second.id);
    await stage.fleet.client.steerDeployment(second.id, 'abort');
    expect(await stage.settled(second.id)).toMatchObject({ status: 'rolled_back' });
    expect(await running('api')).toEqual(before);
    await expect(stage.fleet.client.steerDeployment(second.id, 'pause')).rejects.toMatchObject(
      conflict,
    );
    await configure({});
  }, 90_000);

  it('waits behind another deployment of the same application, and says so', async () => {
    await configure({ approval: true });
    const first = await stage.deploy(nextTag(), ['api']);
    await waitFor('the wait for approval', async () => {
      return (await stage.fleet.client.getDeployment(first.id)).waiting_for === 'Approval';
    });
    const second = await stage.deploy(nextTag(), ['api']);
    await waitFor('the wait behind it', async () => {
      return (await stage.fleet.client.getDeployment(second.id)).waiting_for.includes(first.id);
    });
    await configure({});
    await stage.fleet.client.cancelDeployment(second.id);
    await stage.fleet.client.steerDeployment(first.id, 'approve');
    expect(await stage.settled(first.id)).toMatchObject({ status: 'success' });
    expect(await stage.settled(second.id)).toMatchObject({ status: 'failed' });
  }, 60_000);

  it('keeps as many healthy releases as it should on a host', async () => {
    for (let n = 0; n < 2; n += 1) {
      const { id } = await stage.deploy(nextTag(), ['api']);
      expect(await stage.settled(id)).toMatchObject({ status: 'success' });
    }
    for (const place of stage.places('api')) {
      expect((await readdir(join(place, 'releases'))).length).toBeLessThanOrEqual(3);
    }
  }, 60_000);

  it('ends a task that no runner takes, saying so', async () => {
    await stage.fleet.service('build-runner').stop();
    const { id } = await stage.deploy(nextTag(), ['api']);
    await waitFor('the build to wait', async () => {
      const rows = await stage.fleet.query(
        'SELECT 1 FROM tasks WHERE deployment_id = $1 AND scheduled_at IS NOT NULL',
        [id],
      );
      return rows.length > 0;
    });
    await stage.fleet.query(
      "UPDATE tasks SET deadline_at = now() WHERE deployment_id = $1 AND type = 'build'",
      [id],
    );
    await stage.fleet.query(
      "UPDATE messages SET publish_at = now() WHERE kind = 'advance-deployment' AND subject = $1 AND done_at IS NULL",
      [id],
    );
    const end = await stage.settled(id);
    expect(end.status).toBe('failed');
    expect(end.error_message).toContain('No worker took the task in time');
    await stage.fleet.start('build-runner');
  }, 60_000);

  it('fails at once where the key of the hosts cannot be used, or the target is a cluster', async () => {
    await configure({ ssh_key: 'base64_encoded_ssh_key' });
    const unusable = await stage.deploy(nextTag(), ['api']);
    const end = await stage.settled(unusable.id);
    expect(end.status).toBe('failed');
    expect(end.error_message).toContain('ssh_key');
    await configure({});
    const { id: cluster } = await stage.fleet.client.createEnvironment({
      name: 'cluster',
      type: 'kubernetes',
      config: { cluster: 'c', namespace: 'default', kubeconfig: 'base64_encoded_config' },
      is_active: true,
    });
    const { id } = await stage.fleet.client.createDeployment({
      version_id: stage.versionIds.get(tags[0] ?? '') ?? '',
      application_ids: [stage.applicationIds.get('api') ?? ''],
      environment_id: cluster,
    });
    const refused = await stage.settled(id);
    expect(refused.status).toBe('failed');
    expect(refused.error_message).toContain('no deployer for kubernetes');
  }, 60_000);

  it('refuses two services in one place, naming both', async () => {
    const api = await stage.fleet.client.getApplication(stage.applicationIds.get('api') ?? '');
    const { id } = await stage.fleet.client.createApplication({
      name: 'other',
      repository: api.repository,
      type: 'service',
      config: { deploy_path: stage.places('api')[0] ?? '' },
    });
    const wish = {
      version_id: stage.versionIds.get(tags[0] ?? '') ?? '',
      application_ids: [id],
      environment_id: stage.environmentId,
    };
    await expect(stage.fleet.client.createDeployment(wish)).rejects.toMatchObject(conflict);
  });

  it('restarted nothing twice at once', async () => {
    const ledgers = await Promise.all(
      [...stage.places('api'), ...stage.places('web')].map(readLedger),
    );
    expect(ledgers.flat().filter(({ what }) => what === 'OVERLAP')).toEqual([]);
  });
});
