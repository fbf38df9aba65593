import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { needsPostgres } from '@floy/testing/needs';
import { managersOf, sshKey } from '../testing/begun.js';
import { startTestGateway, type TestGateway } from '../testing/gateway.js';

const describePostgres = await needsPostgres();

describePostgres('values that a command must not be given', () => {
  let gateway: TestGateway;
  let key: string;
  const repository = 'https://github.com/org/values';
  beforeAll(async () => {
    gateway = await startTestGateway();
    key = sshKey();
  });
  afterAll(() => gateway.stop());

  let names = 0;
  const named = (name?: string) => name ?? `made-${(names += 1)}`;
  const send = async (path: string, body: object, method = 'POST') => {
    const answer = await gateway.send(method, path, { body });
    expect(answer).toMatchObject({ status: method === 'POST' ? 201 : 200 });
    return String(answer.body['id']);
  };
  const version = (git_tag: string) =>
    send('/versions', { git_tag, git_commit: 'abc1234', repository });
  const application = (config: object, name?: string) =>
    send('/applications', { name: named(name), repository, type: 'service', config });
  const environment = (config: object, name?: string) =>
    send('/environments', {
      name: named(name),
      type: 'physical',
      config: { hosts: ['h1'], ssh_key: key, deploy_path: '/srv/{{application}}', ...config },
    });
  const deploy = (version_id: string, application_id: string, environment_id: string) =>
    gateway.send('POST', '/deployments', {
      as: 'deployer',
      body: { version_id, application_ids: [application_id], environment_id },
    });

  it('a deployer who hides a command in a tag is refused by key and value, once it is to run', async () => {
    const comment = await application({ restart_command: "# don't wait\necho {{git_tag}}" });
    const place = await environment({});
    for (const tag of ['v1;id>/srv/x;x', "v1'", 'v1"', 'v1$(id)', 'v1`id`', 'a|b', '版本1']) {
      // A version alone is no command.
      const answer = await deploy(await version(tag), comment, place);
      expect(answer).toMatchObject({
        status: 400,
        body: {
          error: {
            code: 'INVALID_REQUEST',
            details: { 'config.restart_command': expect.any(String) },
          },
        },
      });
      const { error } = answer.body as { error: { details: Record<string, string> } };
      expect(error.details['config.restart_command']).toContain(
        `{{git_tag}} is ${JSON.stringify(tag)}, which holds more than letters`,
      );
    }
    expect(await gateway.db.query('SELECT 1 FROM deployments')).toEqual([]);
    // The same tag where no command names it.
    const silent = await application({ restart_command: 'echo "$FLOY_GIT_TAG"' });
    expect(await deploy(await version('v2;id'), silent, place)).toMatchObject({ status: 201 });
  });

  it('each command of the application and of the environment is looked at', async () => {
    const tag = await version('v3;id');
    const place = await environment({});
    for (const name of ['restart', 'status', 'stop', 'pre_switch', 'post_switch']) {
      const wrong = await application({ [`${name}_command`]: 'echo {{version}}' });
      const details = { [`config.${name}_command`]: expect.stringContaining('{{version}} is') };
      const answer = await deploy(tag, wrong, place);
      expect(answer).toMatchObject({ status: 400, body: { error: { details } } });
    }
    for (const name of ['drain', 'undrain', 'health_check']) {
      const wrong = await environment({ [`${name}_command`]: 'echo {{ git_tag }}' });
      const details = { [`config.${name}_command`]: expect.stringContaining('{{git_tag}} is') };
      const answer = await deploy(tag, await application({}), wrong);
      expect(answer).toMatchObject({ status: 400, body: { error: { details } } });
    }
  });

  it('names and paths that a person chose are values too', async () => {
    const tag = await version('v4');
    const evil = await environment({ restart_command: 'echo {{environment}}' }, "prod'; id; '");
    expect((await deploy(tag, await application({}), evil)).status).toBe(400);
    const spaced = await environment({
      deploy_path: '/srv/my app/{{application}}',
      restart_command: 'cd {{release_path}}',
    });
    expect(await deploy(tag, await application({}), spaced)).toMatchObject({
      status: 400,
      body: {
        error: { details: { 'config.restart_command': expect.stringContaining('/srv/my app') } },
      },
    });
  });

  it('an application whose name is not plain has to say service_name', async () => {
    const tag = await version('v5');
    const place = await environment({ deploy_path: '/srv/{{service}}' });
    const details = {
      'config.service_name':
        'is required, because the application\'s name "My Shop; id" holds more than letters, digits and ._/@:+,=-',
    };
    const unnamed = await application({}, 'My Shop; id');
    expect(await deploy(tag, unnamed, place)).toMatchObject({
      status: 400,
      body: { error: { details } },
    });
    await send(`/applications/${unnamed}`, { config: { service_name: 'shop' } }, 'PUT');
    expect(await deploy(tag, unnamed, place)).toMatchObject({ status: 201 });
  });

  it('a command that changed after the request is looked at again when the deployment is admitted', async () => {
    const late = await application({});
    const answer = await deploy(await version('v6;id'), late, await environment({}));
    const id = String(answer.body['id']);
    expect(answer.status).toBe(201);
    await send(`/applications/${late}`, { config: { stop_command: 'stop {{git_tag}}' } }, 'PUT');
    await managersOf(gateway).admit(id);
    const { body } = await gateway.send('GET', `/deployments/${id}`);
    expect(body).toMatchObject({ status: 'failed' });
    expect(body['error_message']).toContain('config.stop_command: {{git_tag}} is "v6;id"');
  });

  it('a name after a $ would choose a variable, and is refused where the command is stored', async () => {
    const config = { restart_command: 'echo ${{git_tag}}' };
    const body = { name: named(), repository, type: 'service', config };
    expect(await gateway.send('POST', '/applications', { body })).toMatchObject({
      status: 400,
      body: {
        error: { details: { 'config.restart_command': expect.stringContaining('variable') } },
      },
    });
  });
});
