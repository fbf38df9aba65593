import { needsSshd } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { textOf } from '../../testing/host-fixture.js';
import { startRolloutFixture, type RolloutFixture } from '../../testing/rollout-fixture.js';

const describeHere = await needsSshd();

describeHere('switch-instance', () => {
  let rollout: RolloutFixture;
  beforeAll(async () => {
    rollout = await startRolloutFixture({ hosts: 2 });
  });
  afterAll(() => rollout.stop());

  /** A deployment that is staged everywhere and waits to be switched, and its first instance. */
  async function staged(application: string, versionId?: string) {
    const id = await rollout.handOut(application, versionId);
    for (const host of [0, 1]) {
      const { id: instance_id } = await rollout.instanceOf(id, host);
      await rollout.carryOut('stage-instance', { instance_id });
    }
    return { id, instance: await rollout.instanceOf(id) };
  }
  const currentOf = async (name: string, host?: number): Promise<string> => {
    const place = rollout.placeOf(name, host);
    return textOf(place, await readlink(join(place, 'current')).catch(() => ''), 'app.txt');
  };
  const ledgerOf = (name: string, host?: number) => textOf(rollout.placeOf(name, host), 'ledger');

  it('does not claim to know what serves where it was cut between environment and current', async () => {
    const application = await rollout.application('cut');
    const first = await staged(application);
    await rollout.rollOut(first.id);
    const { id, instance } = await staged(application, rollout.floy.versionIds[1]);
    await mkdir(join(rollout.placeOf('cut'), '.floy', 'current.new'));
    expect(await rollout.carryOut('switch-instance', { instance_id: instance.id })).toBe('done');
    expect(await rollout.instanceOf(id)).toMatchObject({
      status: 'failed',
      observed: null,
      observed_version: 'v1',
    });
    expect(await ledgerOf('cut')).toBe('v1\n');
  });

  it('makes the release the running one, once, and the last good one when all run it', async () => {
    const { id, instance } = await staged(await rollout.application('api'));
    const [version] = rollout.floy.versionIds;
    expect(await currentOf('api')).toBe('');
    expect(await rollout.carryOut('switch-instance', { instance_id: instance.id })).toBe('done');
    expect(await currentOf('api')).toBe(version);
    expect(await ledgerOf('api')).toBe('v1\n');
    const switched = await rollout.instanceOf(id);
    expect(switched).toMatchObject({
      status: 'succeeded',
      touched: true,
      observed: 'new',
      observed_version: 'v1',
    });
    expect(await rollout.carryOutAgain('switch-instance', instance)).toBe('done');
    expect(await rollout.instanceOf(id)).toEqual(switched);
    expect(await ledgerOf('api')).toBe('v1\n');

    expect(await rollout.carryOut('switch-instance', { deployment_id: id })).toBe('done');
    expect(await rollout.floy.statusOf(id)).toBe('success');
    const targets =
      'SELECT current_release_id, last_good_release_id, holder FROM targets LEFT JOIN leases ON subject = id WHERE id = $1';
    expect(await rollout.floy.own.query(targets, [instance.target_id])).toEqual([
      {
        current_release_id: instance.release_id,
        last_good_release_id: instance.release_id,
        holder: null,
      },
    ]);
  });

  it('does not call a process that dies right after its start a success, unless told', async () => {
    // Nobody has said how long it has to stay healthy.
    const application = await rollout.application('brief', {
      min_healthy_seconds: null,
      status_command: 'echo x >>../../looks; test "$(wc -l <../../looks)" -eq 1',
    });
    const { id, instance } = await staged(application);
    expect(await rollout.carryOut('switch-instance', { instance_id: instance.id })).toBe('done');
    const failed = await rollout.instanceOf(id);
    expect(failed.error_message).toMatch(/healthy, but no longer after \d of 2 s/);
    await rollout.rollOut(id);
  });

  it('has the hosts of a batch stay healthy at the same time', async () => {
    const application = await rollout.application('lasting', { min_healthy_seconds: 3 });
    const { id } = await staged(application);
    const began = performance.now();
    const ends = (await rollout.instancesOf(id)).map(async ({ id: instance_id }) => {
      expect(await rollout.carryOut('switch-instance', { instance_id })).toBe('done');
      return performance.now() - began;
    });
    const [one = 0, other = 0] = await Promise.all(ends);
    expect(Math.min(one, other)).toBeGreaterThan(3000);
    // One after the other they would end three seconds apart.
    expect(Math.abs(one - other)).toBeLessThan(3000);
  });

  it('fails where the host says no, with its words; what was touched is returned', async () => {
    const application = await rollout.application('broken', {
      restart_command:
        'echo "$FLOY_VERSION" >>../../ledger; test "$FLOY_VERSION" = v1 || { echo "no such unit" >&2; exit 5; }',
    });
    const first = await staged(application);
    await rollout.rollOut(first.id);
    const { id, instance } = await staged(application, rollout.floy.versionIds[1]);
    expect(await rollout.carryOut('switch-instance', { instance_id: instance.id })).toBe('done');
    const failed = await rollout.instanceOf(id);
    expect(failed).toMatchObject({ status: 'failed', failed_step: 'switch', touched: true });
    expect(failed.error_message).toContain(
      `${instance.instance_id} failed: restart_command ended with exit code 5 in ${rollout.placeOf('broken')}/releases/`,
    );
    await rollout.rollOut(id);
    expect(await rollout.floy.statusOf(id)).toBe('rolled_back');
    expect(await currentOf('broken')).toBe(rollout.floy.versionIds[0]);
    expect(await ledgerOf('broken')).toBe('v1\nv2\nv1\n');
  });

  it('prepares a release on one host only if it is told so, and never for an undo', async () => {
    const application = await rollout.application('migrated', {
      pre_switch_command: {
        command: 'echo "migrate $FLOY_VERSION" >>../../ledger',
        run_once: true,
      },
      restart_command: 'echo "$FLOY_VERSION" >>../../ledger; test "$FLOY_VERSION" = v1',
    });
    await rollout.rollOut((await staged(application)).id);
    expect(await ledgerOf('migrated')).toBe('migrate v1\nv1\n');
    expect(await ledgerOf('migrated', 1)).toBe('v1\n');
    const { id } = await staged(application, rollout.floy.versionIds[1]);
    await rollout.rollOut(id);
    expect(await rollout.floy.statusOf(id)).toBe('rolled_back');
    expect(await ledgerOf('migrated')).toBe('migrate v1\nv1\nmigrate v2\nv2\nv1\n');
  });

  it('removes what is older than keep_releases says', async () => {
    const application = await rollout.application('pruned', { keep_releases: 1 });
    const [one, two] = rollout.floy.versionIds;
    for (const version of [one, two, one])
      await rollout.rollOut((await staged(application, version)).id);
    // The last good one stays beside the one that has just become it.
    expect(await readdir(join(rollout.placeOf('pruned'), 'releases'))).toHaveLength(2);
    expect(await currentOf('pruned')).toBe(one);
  });

  it('writes nothing when its lease is lost in the middle; who takes it over watches on', async () => {
    const application = await rollout.application('lost', {
      restart_command:
        'echo "$FLOY_VERSION" >>../../ledger; until [ -e ../../go ]; do sleep 0.1; done',
    });
    const { id, instance } = await staged(application);
    const lost = rollout.carryOut('switch-instance', { instance_id: instance.id });
    await waitFor('the restart', async () => (await ledgerOf('lost')) !== '');
    const begun = await rollout.floy.recordOf(id);
    await rollout.revoke(instance);
    expect(await lost).toBe('lost');
    expect(await rollout.floy.recordOf(id)).toEqual(begun);
    expect(await rollout.claimsOf('switch-instance', instance)).toBe(1);

    const taken = rollout.carryOut('switch-instance', { instance_id: instance.id });
    await waitFor('it to begin again', async () => (await rollout.instanceOf(id)).attempts > 2);
    await writeFile(join(rollout.placeOf('lost'), 'go'), '');
    expect(await taken).toBe('done');
    expect(await rollout.instanceOf(id)).toMatchObject({ status: 'succeeded', observed: 'new' });
    expect(await ledgerOf('lost')).toBe('v1\n');
  });

  it('does nothing on the host for a release that was cancelled meanwhile', async () => {
    const { id, instance } = await staged(await rollout.application('cancelled'));
    await rollout.floy.deployments.cancelDeployment(rollout.floy.actor, id);
    const before = await rollout.instanceOf(id);
    expect(before).toMatchObject({ status: 'cancelled', verdict: 'untouched' });
    expect(await rollout.carryOut('switch-instance', { instance_id: instance.id })).toBe('done');
    expect(await rollout.instanceOf(id)).toEqual(before);
    expect(existsSync(join(rollout.placeOf('cancelled'), 'current'))).toBe(false);
  });

  it('given up, fails the instance and has its target stopped; once', async () => {
    const { id, instance } = await staged(await rollout.application('given-up'));
    expect(await rollout.giveUp('switch-instance', instance)).toBe('dead');
    expect(await rollout.instanceOf(id)).toMatchObject({
      status: 'failed',
      stopping: true,
      error_message: 'Switching was given up: given up after it was begun 10 times',
    });
    expect(await rollout.claimsOf('stop-target', instance)).toBe(0);
    const ended = await rollout.floy.recordOf(id);
    await rollout.deadAgain('switch-instance', instance);
    expect(await rollout.floy.recordOf(id)).toEqual(ended);
  });
});
