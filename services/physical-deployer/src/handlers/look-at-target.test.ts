import { needsSshd } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { textOf } from '../../testing/host-fixture.js';
import { startRolloutFixture, type RolloutFixture } from '../../testing/rollout-fixture.js';

const describeHere = await needsSshd();

describeHere('look-at-target', () => {
  let rollout: RolloutFixture;
  beforeAll(async () => {
    rollout = await startRolloutFixture({ hosts: 2 });
  });
  afterAll(() => rollout.stop());

  /** A rollout of two batches whose second is switched, so that the first host is to be looked at. */
  async function switched(name: string, config: Record<string, unknown> = {}) {
    const application = await rollout.application(name, {
      batch_size: 1,
      health_check_timeout: 1,
      health_check_command: 'test ! -e ../../sick',
      ...config,
    });
    const id = await rollout.handOut(application);
    for (let host = 0; host < 2; host += 1) await carryOut('stage-instance', id);
    await carryOut('switch-instance', id);
    await carryOut('switch-instance', id);
    const instance = await rollout.instanceOf(id);
    expect(instance).toMatchObject({ status: 'succeeded', looking: true });
    return { id, instance, sick: join(rollout.placeOf(name), 'sick') };
  }
  const carryOut = async (kind: 'stage-instance' | 'switch-instance', deployment_id: string) =>
    expect(await rollout.carryOut(kind, { deployment_id })).toBe('done');
  const look = (instance_id: string) => rollout.carryOut('look-at-target', { instance_id });

  it('finds a healthy service healthy, once, and the rollout succeeds', async () => {
    const { id, instance } = await switched('well');
    const ledger = await textOf(rollout.placeOf('well'), 'ledger');
    expect(await look(instance.id)).toBe('done');
    const seen = await rollout.instanceOf(id);
    expect(seen).toMatchObject({ looking: false, sickened_at: null, observed: 'new' });
    expect(await rollout.carryOutAgain('look-at-target', instance)).toBe('done');
    expect(await rollout.instanceOf(id)).toEqual(seen);
    expect(await textOf(rollout.placeOf('well'), 'ledger')).toBe(ledger);
    await rollout.rollOut(id);
    expect(await rollout.floy.statusOf(id)).toBe('success');
  });

  it('finds a service that died after its switch, which counts as failed', async () => {
    const { id, instance, sick } = await switched('ill');
    await writeFile(sick, '');
    expect(await look(instance.id)).toBe('done');
    const seen = await rollout.instanceOf(id);
    expect(seen).toMatchObject({ status: 'succeeded', looking: false });
    expect(seen.sickened_at).not.toBeNull();
    expect(seen.error_message).toContain(
      `${instance.instance_id} was healthy, but is no longer: not healthy within 1 s: health_check_command`,
    );
    await rollout.rollOut(id);
    expect(await rollout.floy.statusOf(id)).toBe('failed');
    const health = await rollout.floy.deployer.healthCheck(id);
    expect(health).toMatchObject({ healthy: false });
    expect(health.checks[0]).toMatchObject({ status: 'unhealthy' });
  });

  it('gives a service that answers badly for a moment the time to recover', async () => {
    const { id, instance, sick } = await switched('flapping', {
      health_check_timeout: 5,
      health_check_command: 'echo x >>../../looks; test ! -e ../../sick',
    });
    const place = rollout.placeOf('flapping');
    await rm(join(place, 'looks'));
    await writeFile(sick, '');
    const looking = look(instance.id);
    await waitFor('a bad answer', () => readFile(join(place, 'looks')).catch(() => undefined));
    await rm(sick);
    expect(await looking).toBe('done');
    expect(await rollout.instanceOf(id)).toMatchObject({ sickened_at: null });
  });

  it('writes nothing when its lease is lost in the middle; who takes it over looks again', async () => {
    const { id, instance, sick } = await switched('lost', {
      health_check_timeout: 5,
      health_check_command: 'echo x >>../../looks; test ! -e ../../sick',
    });
    const place = rollout.placeOf('lost');
    await rm(join(place, 'looks'));
    await writeFile(sick, '');
    const lost = look(instance.id);
    await waitFor('a bad answer', () => readFile(join(place, 'looks')).catch(() => undefined));
    const begun = await rollout.floy.recordOf(id);
    await rollout.revoke(instance);
    expect(await lost).toBe('lost');
    expect(await rollout.floy.recordOf(id)).toEqual(begun);
    await rm(sick);
    expect(await look(instance.id)).toBe('done');
    expect(await rollout.instanceOf(id)).toMatchObject({ looking: false, sickened_at: null });
  });

  it('is taken back by a cancel, which says nothing of the health', async () => {
    const { id, instance } = await switched('cancelled');
    await rollout.floy.deployments.cancelDeployment(rollout.floy.actor, id, { rollback: false });
    const before = await rollout.instanceOf(id);
    expect(before).toMatchObject({ looking: false, sickened_at: null, verdict: 'new' });
    expect(await look(instance.id)).toBe('done');
    expect(await rollout.instanceOf(id)).toEqual(before);
  });

  it('given up, counts the instance as failed; once', async () => {
    const { id, instance } = await switched('given-up');
    expect(await rollout.giveUp('look-at-target', instance)).toBe('dead');
    expect(await rollout.instanceOf(id)).toMatchObject({
      looking: false,
      error_message: 'Looking at it again was given up: given up after it was begun 10 times',
    });
    const ended = await rollout.floy.recordOf(id);
    await rollout.deadAgain('look-at-target', instance);
    expect(await rollout.floy.recordOf(id)).toEqual(ended);
  });
});
