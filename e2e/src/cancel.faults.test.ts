import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { ApiError } from '@floy/client/api-error';
import { needsSshd } from '@floy/testing/needs';
import { readLedger, runningOn } from './stage/application.js';
import { setStage, type Stage } from './stage/stage.js';
import { expectSound } from './stage/verdict.js';

const describeHere = await needsSshd();

describeHere('a cancel', () => {
  let stage: Stage;
  const tags = Array.from({ length: 12 }, (_, n) => `v1.${n}.0`);
  beforeAll(async () => {
    stage = await setStage({ queue: 'redis', hosts: 2, tags, buildSeconds: 3, restartSeconds: 3 });
    const { id } = await stage.deploy('v1.0.0');
    expect(await stage.settled(id)).toMatchObject({ status: 'success' });
  }, 120_000);
  afterAll(() => stage.stop(), 60_000);

  const error_message: unknown = expect.stringMatching(/^Deployment cancelled by user \S+$/);
  const cancelled = { status: 'failed', error_message };
  let next = 1;

  it.each([
    ['created', false],
    ['building', false],
    ['staging', false],
    ['restarting', false],
    ['building', true],
    ['restarting', true],
  ] as const)(
    'when the deployment is %s (its worker dead: %s) cancels',
    async (point, dead) => {
      const tag = tags[next++] ?? '';
      const { id } = await stage.deploy(tag);
      if (point !== 'created') await stage.reaches(id, point);
      const worker = point === 'building' ? 'build-runner' : 'physical-deployer';
      if (dead) {
        stage.fleet.service(worker).kill('SIGKILL');
        await stage.fleet.service(worker).exited();
      }
      expect(await stage.fleet.client.cancelDeployment(id)).toMatchObject({ id, ...cancelled });
      const at = Date.now();
      if (dead) await stage.fleet.start(worker);
      expect(await stage.settled(id)).toMatchObject(cancelled);
      expect(Date.now() - at).toBeLessThan(21_000);
      // What was switched is back on its last good version, on every host.
      expect(await Promise.all(stage.places().map(runningOn))).toEqual(['v1.0.0', 'v1.0.0']);
      for (const place of stage.places()) {
        const ended = (await readLedger(place)).filter(
          ({ what, version }) => what === 'end' && version === tag,
        );
        expect(ended).toEqual([]);
      }
      await expectSound(stage, { repeats: true });
      const again = stage.fleet.client.cancelDeployment(id);
      await expect(again).rejects.toBeInstanceOf(ApiError);
      await expect(again).rejects.toMatchObject({ status: 409 });
    },
    120_000,
  );

  it('with rollback: false returns a host that it interrupts, so that nothing is left stopped', async () => {
    const { id } = await stage.deploy(tags[next++] ?? '');
    await stage.reaches(id, 'restarting');
    await stage.fleet.client.cancelDeployment(id, { rollback: false });
    expect(await stage.settled(id)).toMatchObject(cancelled);
    const verdicts = await stage.fleet.query<{ verdict: string }>(
      `SELECT verdict FROM release_instances i JOIN releases r ON r.id = i.release_id
       WHERE i.deployment_id = $1 AND NOT r.undo ORDER BY position`,
      [id],
    );
    // The first one's link was switched, but its restart was ended before the version ran.
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(['reverted', 'untouched']);
    expect(await Promise.all(stage.places().map(runningOn))).toEqual(['v1.0.0', 'v1.0.0']);
  }, 60_000);
});
