import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres, needsRedis } from '@floy/testing/needs';
import { startTestRedis, type TestRedis } from '@floy/testing/redis';
import { waitFor } from '@floy/testing/wait-for';
import { createPublisher } from './publisher.js';
import { createQueueBackend } from './queue-backend.js';
import { readQueueDepths } from './queue-depth.js';

await needsPostgres();
const describeBoth = await needsRedis();

describeBoth('the depth of the queues', () => {
  let own: TestDatabase;
  let redis: TestRedis;
  beforeAll(async () => {
    [own, redis] = await Promise.all([createTestDatabase(), startTestRedis()]);
  });
  afterAll(() => Promise.all([redis.stop(), own.drop()]));

  it.each([
    ['Redis', () => redis.url],
    ['Postgres', () => own.url],
  ])('on %s is what waits and what is with a worker', async (_name, url) => {
    const backend = createQueueBackend(url());
    await backend.check();
    const publisher = createPublisher(backend);
    const depthOf = async (name: string) =>
      (await readQueueDepths(publisher)).find(({ queue }) => queue === name);
    expect(await depthOf('build-runner')).toMatchObject({ waiting: 0, active: 0 });

    const ids = ['msg_1', 'msg_2', 'msg_3'];
    await publisher.publish(ids.map((id) => ({ id, kind: 'run-task', claims: 0 })));
    expect(await depthOf('build-runner')).toMatchObject({ waiting: 3, active: 0 });
    expect(await depthOf('physical-stops')).toMatchObject({ waiting: 0, active: 0 });

    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const worker = backend.worker('build-runner', () => finished, { concurrency: 1 });
    worker.resume();
    await waitFor('a job with a worker', async () => (await depthOf('build-runner'))?.active === 1);
    expect(await depthOf('build-runner')).toMatchObject({ waiting: 2, active: 1 });
    finish();
    await waitFor('all jobs to end', async () => (await depthOf('build-runner'))?.waiting === 0);
    await worker.close();
    await publisher.close();
    await backend.close();
  });
});
