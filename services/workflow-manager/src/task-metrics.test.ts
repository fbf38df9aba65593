import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startTestInstallation, type TestInstallation } from '@floy/managers/installation.fixture';
import type { RunningService } from '@floy/service-kit/service';
import { openTestRuntime, type TestRuntime } from '@floy/service-kit/test-runtime.fixture';
import { needsPostgres } from '@floy/testing/needs';
import { compose } from './compose.js';

const describeHere = await needsPostgres();

describeHere('the metrics of tasks', () => {
  let floy: TestInstallation;
  let runtime: TestRuntime;
  let service: RunningService;
  beforeAll(async () => {
    floy = await startTestInstallation();
    runtime = await openTestRuntime(floy.own.url, floy.encryptionKey);
    service = await compose(runtime.deps);
  });
  afterAll(async () => {
    await service.stop();
    await runtime.close();
    await floy.stop();
  });

  async function waited(): Promise<number> {
    const { text } = await runtime.deps.metrics.exposition();
    return Number(/^floy_task_oldest_waiting_seconds (\S+)$/m.exec(text)?.[1]);
  }
  async function waitsSince(name: string, seconds: number): Promise<string> {
    const id = await floy.ask([await floy.applicationId(name)]);
    await floy.begin(id);
    await floy.own.query(
      `UPDATE tasks SET scheduled_at = scheduled_at - make_interval(secs => $2)
       WHERE deployment_id = $1 AND type = 'build'`,
      [id, seconds],
    );
    return id;
  }

  it('say how long the task that waits longest for a runner has waited', async () => {
    expect(await waited()).toBe(0);
    const oldest = await waitsSince('oldest', 700);
    const next = await waitsSince('next', 100);
    expect(await waited()).toBeGreaterThanOrEqual(700);
    expect(await waited()).toBeLessThan(760);
    await floy.built(oldest);
    expect(await waited()).toBeGreaterThanOrEqual(100);
    expect(await waited()).toBeLessThan(160);
    await floy.built(next);
    expect(await waited()).toBe(0);
  });
});
