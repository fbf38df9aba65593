import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { messageCatalogue } from '@floy/contracts';
import { needsRedis, needsSshd } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { runningOn } from './stage/application.js';
import { setStage, type Stage } from './stage/stage.js';
import { expectSound } from './stage/verdict.js';

await needsRedis();
const describeHere = await needsSshd();
const queues = [...new Set(Object.values(messageCatalogue).map(({ queue }) => queue))];

describeHere('a Redis in which somebody forges keys all the time', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await setStage({ queue: 'redis', hosts: 1, tags: ['v1.0.0'] });
  }, 90_000);
  afterAll(() => stage.stop(), 60_000);

  /** Breaks half of the queues and pauses the others, again and again, until it is ended. */
  function attack(): () => void {
    const timer = setInterval(() => {
      for (const [place, queue] of queues.entries()) {
        const meta = `bull:${queue}:meta`;
        const words = place % 2 === 0 ? ['SET', meta, 'x'] : ['HSET', meta, 'paused', '1'];
        stage.fleet.redis?.command(...words).catch(() => undefined);
      }
    }, 100);
    return () => clearInterval(timer);
  }
  async function queueOf(service: 'physical-deployer' | 'build-runner') {
    const answer = await fetch(`${await stage.fleet.service(service).opsUrl()}/readyz`);
    const { checks } = (await answer.json()) as {
      checks: Record<string, { status: string; reason?: string }>;
    };
    return { code: answer.status, ...checks['queue'] };
  }

  it('keeps no deployment from its end, and is told of', async () => {
    const end = attack();
    try {
      const { id } = await stage.deploy('v1.0.0');
      expect(await stage.settled(id, 60_000)).toMatchObject({ status: 'success' });
      expect(await Promise.all(stage.places().map(runningOn))).toEqual(['v1.0.0']);
      await waitFor('the stand to be told', async () => {
        const { code, status, reason } = await queueOf('build-runner');
        return code === 200 && status === 'degraded' && reason?.includes('build-runner');
      });
    } finally {
      end();
    }
    const isWell = async (service: 'physical-deployer' | 'build-runner') =>
      (await queueOf(service)).status === 'ok';
    for (const service of ['build-runner', 'physical-deployer'] as const) {
      await waitFor('its queues to deliver', () => isWell(service), { timeoutMs: 30_000 });
    }
    await expectSound(stage);
  }, 120_000);
});
