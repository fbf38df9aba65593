import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { needsPostgres } from '@floy/testing/needs';
import { sshKey } from '../testing/begun.js';
import { startTestGateway, type Json, type TestGateway } from '../testing/gateway.js';

const describePostgres = await needsPostgres();

describePostgres('settings that a user got wrong', () => {
  let gateway: TestGateway;
  let key: string;
  let made = 0;
  const repository = 'https://github.com/org/stumbles';
  beforeAll(async () => {
    gateway = await startTestGateway();
    key = sshKey();
  });
  afterAll(() => gateway.stop());

  const post = (path: string, body: Json) =>
    gateway.send('POST', path, { body: { name: `made ${(made += 1)}`, ...body } });
  const application = (config: Json, name?: string) =>
    post('/applications', { repository, type: 'service', config, ...(name && { name }) });
  const environment = (config: Json) =>
    post('/environments', {
      type: 'physical',
      config: { hosts: ['h1'], ssh_key: key, deploy_path: '/srv/{{service}}', ...config },
    });
  const refused = (details: Json) => ({ status: 400, body: { error: { details } } });

  it('a misspelt config key is refused and named', async () => {
    expect(await environment({ batchsize: 2 })).toMatchObject(
      refused({ 'config.batchsize': 'is not known: batch_size is meant' }),
    );
    const sent = { restart_comand: 'true', helth_chek_url: 'http://h/' };
    const answer = await application(sent);
    expect(answer).toMatchObject(
      refused({
        'config.restart_comand': 'is not known: restart_command is meant',
        'config.helth_chek_url': 'is not known: health_check_url is meant',
      }),
    );
    const { error } = answer.body as { error: { message: string } };
    expect(error.message).toContain('restart_command is meant');
    // Not only the first of several problems stands in the message.
    expect(error.message).toContain('health_check_url is meant');
  });

  it('a config key that Floy does not know is kept, and told of in unknown_keys', async () => {
    const made = await environment({ region: 'eu', cost_center: 7 });
    expect(made).toMatchObject({
      status: 201,
      body: { config: { region: 'eu', cost_center: 7 }, unknown_keys: ['region', 'cost_center'] },
    });
    const shown = await gateway.send('GET', `/environments/${String(made.body['id'])}`);
    expect(shown.body['unknown_keys']).toEqual(['region', 'cost_center']);
    expect((await application({ timeout: 60 })).body['unknown_keys']).toEqual([]);
  });

  it('a public key as ssh_key is refused at once', async () => {
    const line = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKz3 me@laptop\n';
    const pem = '-----BEGIN PUBLIC KEY-----\nMCowBQ==\n-----END PUBLIC KEY-----\n';
    for (const text of [line, pem]) {
      for (const sent of [text, Buffer.from(text).toString('base64')]) {
        expect(await environment({ ssh_key: sent })).toMatchObject(
          refused({ 'config.ssh_key': expect.stringContaining('is a public key') }),
        );
      }
    }
    expect(await application({ git_ssh_key: line })).toMatchObject(
      refused({ 'config.git_ssh_key': expect.stringContaining('is a public key') }),
    );
  });

  it.each<[string, unknown[]]>([
    ['h1', ['h1', 'h1:22']],
    ['another spelling', ['H1', { host: 'h1', port: 2200 }, 'root@h1']],
    ['another spelling of an address', ['::1', '[0:0::1]:22']],
  ])('the same host, port and place twice is refused: %s', async (_, hosts) => {
    const last = hosts.length - 1;
    expect(await environment({ hosts })).toMatchObject(
      refused({ [`config.hosts[${last}]`]: expect.stringContaining('is hosts[0] again') }),
    );
  });

  it('two instances on one host are taken where deploy_path tells them apart', async () => {
    const twice = [
      { host: 'h1', instance_id: 'one' },
      { host: 'h1', instance_id: 'two' },
    ];
    const apart = { hosts: twice, deploy_path: '/srv/{{instance_id}}' };
    expect(await environment(apart)).toMatchObject({ status: 201 });
    expect(await environment({ hosts: twice })).toMatchObject({ status: 400 });
  });

  it.each(['h1:2222', '10.0.0.1:2222', '[::1]:2222'])(
    'a host with its port in the field for the host is refused: %s',
    async (host) => {
      expect(await environment({ hosts: [{ host }] })).toMatchObject(
        refused({ 'config.hosts[0].host': expect.stringContaining('the port belongs into port') }),
      );
    },
  );

  it('an scp address with a port, which would go to port 22, is refused', async () => {
    const address = 'git@git.example.com:2222/team/app.git';
    const answer = await post('/applications', { repository: address, type: 'service' });
    expect(answer).toMatchObject(
      refused({
        repository: expect.stringContaining('ssh://git@git.example.com:2222/team/app.git'),
      }),
    );
  });

  it('an application whose name makes no folder is refused when it is to be deployed', async () => {
    const version = await gateway.send('POST', '/versions', {
      body: { git_tag: 'v1', git_commit: 'abc1234', repository },
    });
    const slashed = await application({}, 'a/b');
    const place = await environment({});
    const answer = await gateway.send('POST', '/deployments', {
      body: {
        version_id: version.body['id'],
        application_ids: [slashed.body['id']],
        environment_id: place.body['id'],
      },
    });
    expect(answer).toMatchObject(
      refused({ 'config.deploy_path': expect.stringContaining('{{service}} is "a/b"') }),
    );
  });

  it('a PATCH is led to PUT, and a part of a config to the whole of it', async () => {
    const { body } = await environment({});
    const path = `/environments/${String(body['id'])}`;
    const patched = await gateway.send('PATCH', path, { body: { name: 'n' } });
    expect(patched).toMatchObject({
      status: 405,
      body: { error: { message: expect.stringContaining('PUT changes the fields that are sent') } },
    });
    const part = await gateway.send('PUT', path, { body: { config: { batch_size: 2 } } });
    expect(part).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringContaining('replaces config whole') } },
    });
  });

  it('the pinned keys of an environment’s hosts can be asked for', async () => {
    const { body } = await environment({ hosts: ['H1', 'h2:2222', 'h3'] });
    const path = `/environments/${String(body['id'])}/host-keys`;
    const fingerprint = `SHA256:${'a'.repeat(43)}`;
    expect((await gateway.send('GET', path)).body).toEqual({ host_keys: [] });
    await gateway.send('POST', path, { body: { host: 'h2', port: 2222, fingerprint } });
    const elsewhere = await environment({ hosts: ['h9'] });
    const other = `/environments/${String(elsewhere.body['id'])}/host-keys`;
    await gateway.send('POST', other, { body: { host: 'h9', fingerprint } });
    const pinned = await gateway.send('GET', path, { as: 'viewer' });
    expect(pinned.body).toEqual({
      host_keys: [
        {
          environment_id: body['id'],
          host: 'h2',
          port: 2222,
          fingerprint,
          approved_by: 'admin@example.com',
          pinned_at: expect.any(String),
        },
      ],
    });
  });
});
