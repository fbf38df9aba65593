import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { needsSshd } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { runningOn } from './stage/application.js';
import { serviceNames, type ServiceName } from './stage/fleet.js';
import { setStage, type Stage } from './stage/stage.js';
import { expectSound } from './stage/verdict.js';

const describeHere = await needsSshd();

/** What a deployment may take after a disturbance has ended, beside its own work. Milliseconds. */
const recoveryMs = 15_000;
const ownWorkMs = 6000;

const points = ['created', 'building', 'staging', 'restarting'] as const;
type Point = (typeof points)[number];

/** Who is at work at a point; the others are killed at one point each, unless all is asked for. */
const busiest: Record<Point, ServiceName[]> = {
  created: ['deployment-manager', 'workflow-manager', 'api-gateway'],
  building: ['build-runner'],
  staging: ['physical-deployer', 'workflow-manager'],
  restarting: ['physical-deployer', 'deployment-manager'],
};
const everything = process.env['FLOY_TEST_ALL_FAULTS'] === '1';

for (const queue of ['redis', 'postgres'] as const) {
  describeHere(`a service killed with the queue on ${queue}`, () => {
    let stage: Stage;
    let version = 0;
    const tags = Array.from({ length: 40 }, (_, n) => `v1.${n}.0`);
    beforeAll(async () => {
      stage = await setStage({ queue, hosts: 2, tags, restartSeconds: 1, buildSeconds: 1 });
    }, 90_000);
    afterAll(() => stage.stop(), 60_000);

    const grid = points.flatMap((point) =>
      (everything ? [...serviceNames] : busiest[point]).map((name) => [name, point] as const),
    );

    it.each(grid)(
      '%s killed when the deployment is %s: it ends right without help',
      async (name, point) => {
        const tag = tags[version++] ?? '';
        const { id } = await stage.deploy(tag);
        if (point !== 'created') await stage.reaches(id, point);
        await stage.fleet.killAndRestart(name);
        const healed = Date.now();
        expect(await stage.settled(id)).toMatchObject({ status: 'success' });
        expect(Date.now() - healed).toBeLessThan(recoveryMs + ownWorkMs);
        expect(await Promise.all(stage.places().map(runningOn))).toEqual([tag, tag]);
        await expectSound(stage);
      },
      120_000,
    );

    it('a failing release is still undone when its deployer dies in the undo', async () => {
      const { environmentId, fleet } = stage;
      const before = (await Promise.all(stage.places().map(runningOn)))[0];
      const { config } = await fleet.client.getEnvironment(environmentId);
      await fleet.client.updateEnvironment(environmentId, {
        config: { ...config, health_check_command: `test "$FLOY_VERSION" = ${before}` },
      });
      const { id } = await stage.deploy(tags[version++] ?? '');
      await waitFor(
        'the undo',
        async () => {
          const rows = await fleet.query(
            "SELECT 1 FROM deployments WHERE id = $1 AND phase = 'undoing'",
            [id],
          );
          return rows.length > 0;
        },
        { timeoutMs: 30_000 },
      );
      await fleet.killAndRestart('physical-deployer');
      expect(await stage.settled(id)).toMatchObject({ status: 'rolled_back' });
      expect(await Promise.all(stage.places().map(runningOn))).toEqual([before, before]);
      await expectSound(stage);
      await fleet.client.updateEnvironment(environmentId, { config });
    }, 120_000);
  });
}
