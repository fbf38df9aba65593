import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createClient, type Client } from '@floy/client/client';
import type { CommandResult } from '@floy/contracts';
import { findSshKeygen } from '@floy/local-servers/find-sshd';
import { makeSshKey } from '@floy/local-servers/sshd-keys';
import { needsSshd } from '@floy/testing/needs';
import { readLedger, runningOn } from './stage/application.js';
import { setStage, type Stage } from './stage/stage.js';

const describeHere = await needsSshd();

describeHere('questions to hosts', () => {
  const ends: (() => unknown)[] = [];
  let stage: Stage;
  let client: Client;
  let names: string[];
  beforeAll(async () => {
    const tags = ['v1.0.0', 'v1.1.0', 'v1.2.0', 'v1.3.0'];
    stage = await setStage({ queue: 'redis', hosts: 3, tags, restartSeconds: 1 });
    ends.push(stage.stop);
    client = stage.fleet.client;
    names = stage.hosts.hosts.map(({ host, port }) => `${host}:${port}`);
  }, 60_000);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  }, 30_000);

  const host = (index: number) => {
    const found = stage.hosts.hosts[index];
    if (!found) throw new Error(`there is no host ${index}`);
    return found;
  };
  const deployed = async (tag: string) => {
    const { id } = await stage.deploy(tag);
    return { id, ...(await stage.settled(id)) };
  };
  const command = (text: string, more: { hosts?: string[]; timeout?: number } = {}) =>
    client.runCommand(stage.environmentId, { command: text, ...more });
  const bySuccess = (results: readonly CommandResult[]) => results.map(({ success }) => success);

  it('say that nothing was deployed yet', async () => {
    const statuses = await client.getServiceStatus(stage.environmentId, 'api');
    expect(statuses.map(({ host: name }) => name)).toEqual(names);
    for (const { running, status } of statuses) {
      expect({ running, status }).toEqual({
        running: false,
        status: expect.stringMatching(/^not deployed/),
      });
    }
    await expect(client.getServiceStatus(stage.environmentId, 'nothing')).rejects.toMatchObject({
      status: 404,
    });
  });

  it('tell how a service is on every host, and restart it where they are told to', async () => {
    expect(await deployed('v1.0.0')).toMatchObject({ status: 'success' });
    const statuses = await client.getServiceStatus(stage.environmentId, 'api');
    expect(statuses.map(({ running }) => running)).toEqual([true, true, true]);

    const hosts = names.slice(0, 2);
    const results = await client.restartService(stage.environmentId, 'api', { hosts });
    expect(results.map(({ host: name }) => name)).toEqual(hosts);
    expect(bySuccess(results)).toEqual([true, true]);
    const ledgers = await Promise.all(stage.places().map(readLedger));
    expect(ledgers.map((lines) => lines.filter(({ what }) => what === 'end').length)).toEqual([
      2, 2, 1,
    ]);
    expect(ledgers.flat().map(({ version }) => version)).toEqual(Array(10).fill('v1.0.0'));
  }, 60_000);

  it('are answered by each host for itself', async () => {
    const said = await command('echo "$((6 * 7))"; echo oh >&2');
    expect(said).toEqual(
      names.map((name) => ({ host: name, success: true, output: '42\n', error: 'oh\n' })),
    );
    await host(1).kill();
    const two = await command('echo here', { timeout: 5 });
    await host(1).start();
    expect(bySuccess(two)).toEqual([true, false, true]);
    expect(two[1]).toMatchObject({ host: names[1], output: '' });
    expect(two[1]?.error).not.toBe('');
    expect(await command('exit 3', { hosts: [names[0] ?? ''] })).toEqual([
      { host: names[0], success: false, output: '', error: 'exited with 3' },
    ]);
    const [late] = await command('sleep 60', { hosts: [names[2] ?? ''], timeout: 1 });
    expect(late).toMatchObject({ success: false, error: expect.stringContaining('within 1 s') });
    await expect(command('true', { hosts: ['10.0.0.1'] })).rejects.toMatchObject({ status: 400 });
  }, 60_000);

  it('send an artifact ahead, so that a deployment does not send it again', async () => {
    const { config } = await client.getEnvironment(stage.environmentId);
    const elsewhere = await client.createEnvironment({
      ...{ name: 'elsewhere', type: 'physical', is_active: true },
      config: {
        ...config,
        ssh_key: Buffer.from(stage.hosts.privateKey).toString('base64'),
        hosts: [{ host: host(0).host, port: host(0).port, instance_id: 'elsewhere' }],
        deploy_path: join(stage.fleet.folder, 'elsewhere', '{{application}}'),
      },
    });
    const first = await client.createDeployment({
      version_id: stage.versionIds.get('v1.1.0') ?? '',
      application_ids: [...stage.applicationIds.values()],
      environment_id: elsewhere.id,
    });
    expect(await stage.settled(first.id)).toMatchObject({ status: 'success' });
    expect(await deployLog(first.id)).toContain('Sending');

    const { tasks } = await client.listTasks({ deployment_id: first.id, type: 'build' });
    const { sha256 } = JSON.parse(tasks[0]?.result ?? '{}') as { sha256: string };
    const sent = await client.uploadArtifact(stage.environmentId, { sha256, service: 'api' });
    expect(bySuccess(sent)).toEqual([true, true, true]);
    const second = await deployed('v1.1.0');
    expect(second).toMatchObject({ status: 'success' });
    expect(await deployLog(second.id)).not.toContain('Sending');
    expect(await Promise.all(stage.places().map(runningOn))).toEqual(Array(3).fill('v1.1.0'));
    const unknown = { sha256: 'a'.repeat(64) };
    await expect(client.uploadArtifact(stage.environmentId, unknown)).rejects.toMatchObject({
      status: 404,
    });
  }, 90_000);

  async function deployLog(deploymentId: string): Promise<string> {
    const { tasks } = await client.listTasks({ deployment_id: deploymentId, type: 'deploy' });
    const { lines } = await client.getTaskLogs(tasks[0]?.id ?? '');
    return lines.map(({ text }) => text).join('');
  }

  it('approve the changed key of a host, which a deployment refuses before', async () => {
    const keyFile = join(stage.fleet.folder, 'another_host_key');
    const { fingerprint } = await makeSshKey(findSshKeygen() ?? '', keyFile);
    await host(1).stop();
    await host(1).start({ hostKeyFile: keyFile });

    const refused = await deployed('v1.2.0');
    expect(refused.status).not.toBe('success');
    expect(refused.error_message).toContain(fingerprint);
    expect(refused.error_message).toContain(
      `POST /api/v1/environments/${stage.environmentId}/host-keys`,
    );
    expect(await Promise.all(stage.places().map(runningOn))).toEqual(Array(3).fill('v1.1.0'));
    const [result] = await command('true', { hosts: [names[1] ?? ''] });
    expect(result).toMatchObject({ success: false, error: expect.stringContaining(fingerprint) });

    const approval = { host: host(1).host, port: host(1).port, fingerprint };
    await client.approveHostKey(stage.environmentId, approval);
    expect(await deployed('v1.2.0')).toMatchObject({ status: 'success' });
  }, 90_000);

  it('that change something are a conflict while a release is at work there', async () => {
    const { id } = await stage.deploy('v1.3.0');
    await stage.reaches(id, 'restarting');
    const conflict = { status: 409, code: 'RESOURCE_CONFLICT' };
    await expect(client.restartService(stage.environmentId, 'api')).rejects.toMatchObject(conflict);
    await expect(command('true')).rejects.toMatchObject(conflict);
    // Looking is always allowed.
    const statuses = await client.getServiceStatus(stage.environmentId, 'api');
    expect(statuses).toHaveLength(3);
    expect(await stage.settled(id)).toMatchObject({ status: 'success' });
    const ledgers = await Promise.all(stage.places().map(readLedger));
    expect(ledgers.flat().filter(({ what }) => what === 'OVERLAP')).toEqual([]);
    expect(bySuccess(await client.restartService(stage.environmentId, 'api'))).toEqual([
      true,
      true,
      true,
    ]);
  }, 60_000);

  it('belong to roles', async () => {
    const { url } = stage.fleet.access;
    const as = async (role: 'viewer' | 'deployer') => {
      const { token } = await client.createToken({ name: role, owner: `${role}@localhost`, role });
      return createClient({ url, token });
    };
    const [viewer, deployer] = [await as('viewer'), await as('deployer')];
    const environment = stage.environmentId;
    const forbidden = { status: 403, code: 'FORBIDDEN' };
    expect(await viewer.getServiceStatus(environment, 'api')).toHaveLength(3);
    await expect(viewer.restartService(environment, 'api')).rejects.toMatchObject(forbidden);
    const sha256 = 'a'.repeat(64);
    await expect(viewer.uploadArtifact(environment, { sha256 })).rejects.toMatchObject(forbidden);
    await expect(deployer.runCommand(environment, { command: 'true' })).rejects.toMatchObject(
      forbidden,
    );
    const key = { host: host(0).host, fingerprint: host(0).hostKeyFingerprint };
    await expect(deployer.approveHostKey(environment, key)).rejects.toMatchObject(forbidden);
  });

  it('are refused in their time where no deployer runs, and not carried out later', async () => {
    const deployer = stage.fleet.service('physical-deployer');
    deployer.kill('SIGKILL');
    await deployer.exited();
    const mark = join(stage.fleet.folder, 'late');
    const began = performance.now();
    await expect(command(`touch ${mark}`, { timeout: 2 })).rejects.toMatchObject({
      status: 503,
      code: 'SERVICE_UNAVAILABLE',
    });
    const seconds = (performance.now() - began) / 1000;
    expect(seconds).toBeGreaterThanOrEqual(2);
    expect(seconds).toBeLessThan(5);
    await stage.fleet.start('physical-deployer');
    expect(bySuccess(await command('true'))).toEqual([true, true, true]);
    expect(existsSync(mark)).toBe(false);
  }, 60_000);
});
