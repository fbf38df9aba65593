import { needsSshd } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { textOf } from '../../testing/host-fixture.js';
import { startRolloutFixture, type RolloutFixture } from '../../testing/rollout-fixture.js';
import { createHosts } from '../rollout/hosts.js';
import { stageInstanceHandler } from './stage-instance.js';

const describeHere = await needsSshd();

describeHere('stage-instance', () => {
  let rollout: RolloutFixture;
  // As the gateway hands artifacts to hosts that fetch them.
  const downloads = createServer((request, response) => {
    const sha256 = /([0-9a-f]{64})\?/.exec(request.url ?? '')?.[1] ?? '';
    rollout.deps.artifacts.open(sha256).then(
      (artifact) => artifact.stream().pipe(response),
      () => response.writeHead(404).end(),
    );
  });
  beforeAll(async () => {
    await once(downloads.listen(0, '127.0.0.1'), 'listening');
    const { port } = downloads.address() as AddressInfo;
    rollout = await startRolloutFixture({ hosts: 2, publicUrl: `http://127.0.0.1:${port}` });
  });
  afterAll(async () => {
    await rollout.stop();
    downloads.close();
  });

  /** A deployment of a new application that waits to be staged, and its first instance. */
  async function handedOut(name: string, config?: Record<string, unknown>) {
    const application = await rollout.application(name, config);
    const id = await rollout.handOut(application);
    return { id, application, instance: await rollout.instanceOf(id) };
  }
  const statusesOf = async (id: string) =>
    (await rollout.instancesOf(id)).map(({ status }) => status);

  it('puts the release beside what serves, once; when all have it, they are switched', async () => {
    const { id, instance } = await handedOut('api');
    expect(await rollout.carryOut('stage-instance', { instance_id: instance.id })).toBe('done');
    expect(await statusesOf(id)).toEqual(['staged', 'staging']);
    const place = rollout.placeOf('api');
    const [folder = ''] = await readdir(join(place, 'releases'));
    expect(await textOf(place, 'releases', folder, 'app.txt')).toBe(rollout.floy.versionIds[0]);
    expect(existsSync(join(place, 'current'))).toBe(false);
    const seen = async () => [await rollout.instanceOf(id), await rollout.epochOf(instance)];
    const staged = await seen();
    expect(await rollout.carryOutAgain('stage-instance', instance)).toBe('done');
    expect(await seen()).toEqual(staged);

    expect(await rollout.carryOut('stage-instance', { deployment_id: id })).toBe('done');
    expect(await statusesOf(id)).toEqual(['switching', 'switching']);
    expect(await rollout.claimsOf('switch-instance', instance)).toBe(0);
    const leases = 'SELECT holder FROM leases WHERE subject = $1';
    expect(await rollout.floy.own.query(leases, [instance.target_id])).toEqual([{ holder: null }]);
  });

  it('fails where the host says no, with its words', async () => {
    const { id, instance } = await handedOut('refused');
    const place = rollout.placeOf('refused');
    await mkdir(join(place, '.floy'), { recursive: true, mode: 0o700 });
    await writeFile(join(place, '.floy', 'owner'), 'another-installation\n');
    expect(await rollout.carryOut('stage-instance', { instance_id: instance.id })).toBe('done');
    const failed = await rollout.instanceOf(id);
    expect(failed).toMatchObject({ status: 'failed', touched: false });
    expect(failed.error_message).toContain(`${instance.instance_id} failed: `);
    expect(failed.error_message).toContain('another-installation');
    expect(await rollout.claimsOf('stage-instance', instance)).toBeUndefined();
  });

  it('fails where the artifact is gone and the host has no such release', async () => {
    const { id, instance } = await handedOut('gone');
    await rm(join(rollout.fleet.folder, 'artifacts', 'sha256'), { recursive: true });
    await rollout.carryOut('stage-instance', { instance_id: instance.id });
    expect((await rollout.instanceOf(id)).error_message).toContain('is no longer in the store');
  });

  it('needs no artifact to go back to what the host still has', async () => {
    const { id, application } = await handedOut('back', { transfer: 'pull' });
    await rollout.rollOut(id);
    const newer = await rollout.handOut(application, rollout.floy.versionIds[1]);
    await rollout.rollOut(newer);
    expect(await rollout.floy.statusOf(newer)).toBe('success');
    await rm(join(rollout.fleet.folder, 'artifacts', 'sha256'), { recursive: true });
    const { deployer, actor } = rollout.floy;
    const back = await deployer.rollback(actor, { deploymentId: newer, targetDeploymentId: id });
    await rollout.floy.begin(back.deploymentId);
    const instance = await rollout.instanceOf(back.deploymentId);
    // A deployer that was started meanwhile: it has looked into no artifact yet.
    const hosts = createHosts();
    const started = stageInstanceHandler({ ...rollout.deps, hosts });
    const of = { instance_id: instance.id };
    expect(await rollout.runtime.carryOut('stage-instance', started, of)).toBe('done');
    hosts.close();
    expect(await rollout.instanceOf(back.deploymentId)).toMatchObject({ status: 'staged' });
    await rollout.rollOut(back.deploymentId);
    const place = rollout.placeOf('back');
    expect(await textOf(place, await readlink(join(place, 'current')), 'app.txt')).toBe(
      rollout.floy.versionIds[0],
    );
  });

  it('the same version again touches nothing where the host is healthy on it, and says so', async () => {
    const up = 'test ! -e ../../down';
    const { id, application } = await handedOut('again', { status_command: up });
    await rollout.rollOut(id);
    const again = await rollout.handOut(application);
    await rollout.rollOut(again);
    expect(await rollout.floy.statusOf(again)).toBe('success');
    const first = await rollout.instancesOf(id);
    for (const [host, instance] of (await rollout.instancesOf(again)).entries()) {
      expect(instance).toMatchObject({
        ...{ status: 'succeeded', verdict: 'untouched', touched: false, observed: 'new' },
        content_release_id: first[host]?.content_release_id,
      });
      expect(await textOf(rollout.placeOf('again', host), 'ledger')).toBe('v1\n');
      expect(await readdir(join(rollout.placeOf('again', host), 'releases'))).toHaveLength(1);
    }
    const health = await rollout.floy.deployer.healthCheck(again);
    expect(health).toMatchObject({ healthy: true });
    for (const { message } of health.checks)
      expect(message).toMatch(
        /^again was seen healthy on v1 already, and was not touched \(last seen at .*, asked: current, status_command\)$/,
      );

    // Only the host that is not healthy is restarted.
    await writeFile(join(rollout.placeOf('again', 1), 'down'), '');
    const half = await rollout.handOut(application);
    const sick = await rollout.instanceOf(half, 1);
    for (const host of [0, 1]) {
      const { id: instance_id } = await rollout.instanceOf(half, host);
      await rollout.carryOut('stage-instance', { instance_id });
    }
    expect((await rollout.instancesOf(half)).map(({ status }) => status)).toEqual([
      'succeeded',
      'switching',
    ]);
    await rm(join(rollout.placeOf('again', 1), 'down'));
    expect(await rollout.carryOut('switch-instance', { instance_id: sick.id })).toBe('done');
    expect(await rollout.floy.statusOf(half)).toBe('success');
    expect(await textOf(rollout.placeOf('again', 0), 'ledger')).toBe('v1\n');
    expect(await textOf(rollout.placeOf('again', 1), 'ledger')).toBe('v1\nv1\n');
  });

  it('the same version again is switched and restarted with force, and with other settings', async () => {
    const { id, application } = await handedOut('forced');
    await rollout.rollOut(id);
    const forced = await rollout.handOut(application);
    await rollout.floy.own.query('UPDATE deployments SET force = true WHERE id = $1', [forced]);
    await rollout.rollOut(forced);
    expect(await textOf(rollout.placeOf('forced'), 'ledger')).toBe('v1\nv1\n');
    await rollout.floy.own.query(
      `UPDATE applications SET config = config || '{"env": {"COLOUR": "red"}}' WHERE id = $1`,
      [application],
    );
    const other = await rollout.handOut(application);
    await rollout.rollOut(other);
    expect(await textOf(rollout.placeOf('forced'), 'ledger')).toBe('v1\nv1\nv1\n');
    const times = await rollout.floy.own.query<{ files_at: Date }>(
      'SELECT files_at FROM releases WHERE application_id = $1 ORDER BY id',
      [application],
    );
    const seconds = times.map(({ files_at }) => files_at.getTime() / 1000);
    expect(seconds).toHaveLength(3);
    for (const [at, second] of seconds.entries()) {
      expect(Number.isInteger(second)).toBe(true);
      if (at > 0) expect(second).toBeGreaterThan(seconds[at - 1] ?? 0);
    }
  });

  it('writes nothing when its lease is lost in the middle; who takes it over does', async () => {
    const { id, instance } = await handedOut('lost');
    const letGo = await rollout.holdLock(rollout.placeOf('lost'));
    const lost = rollout.carryOut('stage-instance', { instance_id: instance.id });
    await waitFor('it to begin', async () => (await rollout.instanceOf(id)).attempts === 1);
    const begun = await rollout.floy.recordOf(id);
    await rollout.revoke(instance);
    expect(await lost).toBe('lost');
    expect(await rollout.floy.recordOf(id)).toEqual(begun);
    expect(await rollout.claimsOf('stage-instance', instance)).toBe(1);
    await letGo();

    expect(await rollout.carryOut('stage-instance', { instance_id: instance.id })).toBe('done');
    expect(await rollout.instanceOf(id)).toMatchObject({ status: 'staged', attempts: 2 });
  });

  it('does nothing on the host for a release that was cancelled meanwhile', async () => {
    const { id, instance } = await handedOut('cancelled');
    await rollout.floy.deployments.cancelDeployment(rollout.floy.actor, id);
    const before = await rollout.instanceOf(id);
    expect(before).toMatchObject({ status: 'cancelled', verdict: 'untouched' });
    expect(await rollout.carryOut('stage-instance', { instance_id: instance.id })).toBe('done');
    expect(await rollout.instanceOf(id)).toEqual(before);
    expect(existsSync(rollout.placeOf('cancelled'))).toBe(false);
  });

  it('given up, fails the instance and has its target stopped; once', async () => {
    const { id, instance } = await handedOut('given-up');
    expect(await rollout.giveUp('stage-instance', instance)).toBe('dead');
    expect(await rollout.instanceOf(id)).toMatchObject({
      status: 'failed',
      stopping: true,
      error_message: 'Staging was given up: given up after it was begun 10 times',
    });
    expect(await rollout.claimsOf('stop-target', instance)).toBe(0);
    const ended = await rollout.floy.recordOf(id);
    await rollout.deadAgain('stage-instance', instance);
    expect(await rollout.floy.recordOf(id)).toEqual(ended);
  });
});
