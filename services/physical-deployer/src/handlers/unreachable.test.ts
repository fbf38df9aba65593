import { createDeploymentRepository } from '@floy/database/repositories/deployments';
import { accessTo } from '@floy/database/access';
import { needsSshd } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startRolloutFixture, type RolloutFixture } from '../../testing/rollout-fixture.js';

const describeHere = await needsSshd();

describeHere('a host that cannot be reached', () => {
  let rollout: RolloutFixture;
  beforeAll(async () => {
    rollout = await startRolloutFixture({ hosts: 1 });
  });
  afterAll(() => rollout.stop());

  it('shows in waiting_for, progress and health after the first attempt, with what is tried until when', async () => {
    const { floy } = rollout;
    const application = await rollout.application('away');
    await floy.own.query(
      `UPDATE environments SET config = jsonb_set(config, '{hosts}', '[{"host": "127.0.0.1", "port": 1}]')
       WHERE id = $1`,
      [floy.environmentId],
    );
    const id = await rollout.handOut(application);
    const instance = await rollout.instanceOf(id);
    const staging = rollout.carryOut('stage-instance', { instance_id: instance.id });
    const deployments = createDeploymentRepository(accessTo(floy.database));
    const said = await waitFor('the first attempt to be told', async () => {
      return (await deployments.getById(id)).waiting_for;
    });
    expect(said).toMatch(
      /^away-production-127\.0\.0\.1-1: Could not connect to root@127\.0\.0\.1:1: .*ECONNREFUSED.*; tried again until \d{4}-.*Z$/,
    );
    expect(await floy.deployments.getDeploymentProgress(id)).toMatchObject({ waiting_for: said });
    const { checks } = await floy.deployer.healthCheck(id);
    expect(checks).toEqual([
      expect.objectContaining({
        status: 'unreachable',
        message: expect.stringContaining(said.slice(said.indexOf('Could not connect'))),
      }),
    ]);
    await rollout.revoke(instance);
    expect(await staging).toBe('lost');
  });
});
