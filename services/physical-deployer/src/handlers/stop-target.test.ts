import { needsSshd } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { textOf } from '../../testing/host-fixture.js';
import { startRolloutFixture, type RolloutFixture } from '../../testing/rollout-fixture.js';

const describeHere = await needsSshd();

describeHere('stop-target', () => {
  let rollout: RolloutFixture;
  beforeAll(async () => {
    rollout = await startRolloutFixture({ hosts: 1 });
  });
  afterAll(() => rollout.stop());

  /** A deployment that was cancelled in the middle of its restart, which goes on on the host. */
  async function cancelled(name: string) {
    const application = await rollout.application(name, {
      restart_command:
        'echo $$ >../../pid.new; mv ../../pid.new ../../pid; until [ -e ../../end ]; do sleep 0.1; done',
    });
    const id = await rollout.handOut(application);
    await rollout.carryOut('stage-instance', { deployment_id: id });
    const switching = rollout.carryOut('switch-instance', { deployment_id: id });
    const pid = Number(await waitFor('the restart', () => textOf(rollout.placeOf(name), 'pid')));
    await rollout.floy.deployments.cancelDeployment(rollout.floy.actor, id);
    expect(await switching).toBe('lost');
    const instance = await rollout.instanceOf(id);
    expect(instance).toMatchObject({ status: 'cancelled', stopping: true, verdict: null });
    return { id, instance, pid };
  }
  /** Has a restart end that nobody has ended. */
  const end = (name: string) => writeFile(join(rollout.placeOf(name), 'end'), '');
  const historyOf = async (id: string): Promise<string[]> => {
    const sql = "SELECT type FROM events WHERE stream = $1 AND type LIKE 'instance.stop%'";
    return (await rollout.floy.own.query<{ type: string }>(sql, [id])).map(({ type }) => type);
  };
  const lives = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  it('ends what runs on the host and tells what is there then; once', async () => {
    const { id, instance, pid } = await cancelled('api');
    expect(lives(pid)).toBe(true);
    expect(await rollout.carryOut('stop-target', { instance_id: instance.id })).toBe('done');
    expect(lives(pid)).toBe(false);
    const stopped = await rollout.instanceOf(id);
    expect(stopped).toMatchObject({ stopping: false, observed: 'new', observed_version: 'v1' });
    expect(stopped.verdict).not.toBeNull();
    expect(await historyOf(id)).toEqual(['instance.stopped']);
    const epoch = await rollout.epochOf(instance);
    expect(await rollout.carryOutAgain('stop-target', instance)).toBe('done');
    expect(await rollout.instanceOf(id)).toEqual(stopped);
    expect(await rollout.epochOf(instance)).toBe(epoch);
    expect(await historyOf(id)).toEqual(['instance.stopped']);
  });

  it('says that it is unknown where the host says no', async () => {
    const { id, instance } = await cancelled('refused');
    await writeFile(join(rollout.placeOf('refused'), '.floy', 'owner'), 'another-installation\n');
    expect(await rollout.carryOut('stop-target', { instance_id: instance.id })).toBe('done');
    expect(await rollout.instanceOf(id)).toMatchObject({
      stopping: false,
      observed: null,
      verdict: 'unknown',
    });
    expect(await historyOf(id)).toEqual(['instance.stop_failed']);
    await end('refused');
  });

  it('tells of no step that could not be ended where none ever began', async () => {
    const id = await rollout.handOut(await rollout.application('early', {}));
    const instance = await rollout.instanceOf(id);
    const letGo = await rollout.holdLock(rollout.placeOf('early'));
    const staging = rollout.carryOut('stage-instance', { instance_id: instance.id });
    await waitFor('it to begin', async () => (await rollout.instanceOf(id)).attempts === 1);
    await rollout.floy.deployments.cancelDeployment(rollout.floy.actor, id);
    expect(await staging).toBe('lost');
    // Before the lock is let go: the script of the staging still waits for it on the host.
    const metadata = join(rollout.placeOf('early'), '.floy');
    await writeFile(join(metadata, 'owner'), 'another-installation\n');
    await letGo();
    expect(await rollout.carryOut('stop-target', { instance_id: instance.id })).toBe('done');
    expect(await rollout.instanceOf(id)).toMatchObject({ stopping: false, verdict: 'untouched' });
    expect(await historyOf(id)).toEqual([]);
  });

  it('writes nothing when its lease is lost in the middle; who takes it over does', async () => {
    const { id, instance, pid } = await cancelled('lost');
    const letGo = await rollout.holdLock(rollout.placeOf('lost'));
    const lost = rollout.carryOut('stop-target', { instance_id: instance.id });
    await waitFor(
      'it to begin',
      async () => (await rollout.claimsOf('stop-target', instance)) === 1,
    );
    const begun = await rollout.floy.recordOf(id);
    await rollout.revoke(instance);
    expect(await lost).toBe('lost');
    expect(await rollout.floy.recordOf(id)).toEqual(begun);
    expect(lives(pid)).toBe(true);
    await letGo();

    expect(await rollout.carryOut('stop-target', { instance_id: instance.id })).toBe('done');
    expect(lives(pid)).toBe(false);
    expect(await historyOf(id)).toEqual(['instance.stopped']);
  });

  it('given up, settles the target as unknown; once', async () => {
    const { id, instance } = await cancelled('given-up');
    expect(await rollout.giveUp('stop-target', instance)).toBe('dead');
    expect(await rollout.instanceOf(id)).toMatchObject({ stopping: false, verdict: 'unknown' });
    expect(await historyOf(id)).toEqual(['instance.stop_failed']);
    const ended = await rollout.floy.recordOf(id);
    await rollout.deadAgain('stop-target', instance);
    expect(await rollout.floy.recordOf(id)).toEqual(ended);
    await end('given-up');
  });
});
