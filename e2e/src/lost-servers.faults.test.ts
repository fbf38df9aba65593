import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { needsSshd } from '@floy/testing/needs';
import { runningOn } from './stage/application.js';
import { setStage, type Stage } from './stage/stage.js';
import { expectSound } from './stage/verdict.js';

const describeHere = await needsSshd();
const recoveryMs = 15_000;
const ownWorkMs = 8000;

describeHere('a Redis that forgets everything', () => {
  let stage: Stage;
  const tags = ['v1.0.0', 'v1.1.0', 'v1.2.0', 'v1.3.0'];
  beforeAll(async () => {
    stage = await setStage({ queue: 'redis', hosts: 2, tags, restartSeconds: 1, buildSeconds: 1 });
  }, 90_000);
  afterAll(() => stage.stop(), 60_000);

  it.each([
    ['created', 'v1.0.0'],
    ['building', 'v1.1.0'],
    ['staging', 'v1.2.0'],
    ['restarting', 'v1.3.0'],
  ] as const)(
    'wiped when the deployment is %s changes nothing',
    async (point, tag) => {
      const { id } = await stage.deploy(tag);
      if (point !== 'created') await stage.reaches(id, point);
      await stage.fleet.redis?.flush();
      const healed = Date.now();
      expect(await stage.settled(id)).toMatchObject({ status: 'success' });
      expect(Date.now() - healed).toBeLessThan(recoveryMs + ownWorkMs);
      expect(await Promise.all(stage.places().map(runningOn))).toEqual([tag, tag]);
      await expectSound(stage);
    },
    90_000,
  );
});

for (const queue of ['redis', 'postgres'] as const) {
  describeHere(`a Postgres restarted, with the queue on ${queue}`, () => {
    let stage: Stage;
    const tags = ['v1.0.0', 'v1.1.0', 'v1.2.0'];
    beforeAll(async () => {
      stage = await setStage({ queue, hosts: 2, tags, restartSeconds: 2, buildSeconds: 2 });
    }, 90_000);
    afterAll(() => stage.stop(), 60_000);

    it.each([
      ['building', 'v1.0.0', 'stop'],
      ['restarting', 'v1.1.0', 'stop'],
      ['restarting', 'v1.2.0', 'kill'],
    ] as const)(
      'when the deployment is %s (%s, %s) loses nothing',
      async (point, tag, how) => {
        const { id } = await stage.deploy(tag);
        await stage.reaches(id, point);
        const { postgres } = stage.fleet;
        if (how === 'kill') postgres.kill('SIGKILL');
        await postgres.restart();
        const healed = Date.now();
        expect(await stage.settled(id)).toMatchObject({ status: 'success' });
        expect(Date.now() - healed).toBeLessThan(recoveryMs + ownWorkMs);
        expect(await Promise.all(stage.places().map(runningOn))).toEqual([tag, tag]);
        await expectSound(stage);
        // Every service outlived it: none was started again.
        expect(stage.fleet.processes.every(({ pid }) => isAlive(pid))).toBe(true);
      },
      90_000,
    );
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
