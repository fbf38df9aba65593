import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { RunningService } from '@floy/service-kit/service';
import { openTestRuntime, type TestRuntime } from '@floy/service-kit/test-runtime.fixture';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { compose } from './compose.js';

const describeHere = await needsPostgres();

describeHere('the metrics of deployments', () => {
  let own: TestDatabase;
  let runtime: TestRuntime;
  let service: RunningService;
  const text = async (): Promise<string> => (await runtime.deps.metrics.exposition()).text;

  beforeAll(async () => {
    own = await createTestDatabase();
    runtime = await openTestRuntime(own.url);
    service = await compose(runtime.deps);
    await own.query(
      `INSERT INTO versions (id, git_tag, git_commit, repository, repository_key, created_by)
       VALUES ('ver_1', 'v1', 'abc', 'r', 'r', 'test')`,
    );
    await own.query(`INSERT INTO environments (id, name, type) VALUES ('env_1', 'e', 'physical')`);
    await own.query(
      `INSERT INTO deployments
         (id, version_id, environment_id, created_by, status, phase, queued_at, started_at, completed_at, settled_at)
       VALUES
         ('dep_queued', 'ver_1', 'env_1', 'test', 'pending', 'queued', now() - interval '90 s', NULL, NULL, NULL),
         ('dep_forward', 'ver_1', 'env_1', 'test', 'running', 'forward', now() - interval '30 s', now(), NULL, NULL),
         ('dep_settled', 'ver_1', 'env_1', 'test', 'rolled_back', 'done', now() - interval '40 s', now() - interval '39 s', now(), now())`,
    );
    await own.query(
      `INSERT INTO events (stream, seq, id, type, subject, at)
       VALUES ('dep_settled', 1, 'evt_1', 'deployment.undoing', 'dep_settled', now() - interval '10 s')`,
    );
  });
  afterAll(async () => {
    await service.stop();
    await runtime.close();
    await own.drop();
  });

  it('count what is not settled, and say since when', async () => {
    const said = await text();
    expect(said).toContain('floy_deployments{status="pending",phase="queued"} 1');
    expect(said).toContain('floy_deployments{status="running",phase="forward"} 1');
    expect(said).not.toContain('floy_deployments{status="rolled_back"');
    const oldest = /floy_deployment_oldest_seconds\{status="pending",phase="queued"\} (\S+)/;
    expect(Number(oldest.exec(said)?.[1])).toBeGreaterThan(89);
  });

  it('say how long the phases of a settled one were', async () => {
    await runtime.deps.database.transaction(async (tx) => {
      tx.send('deployment-ended', { deployment_id: 'dep_settled' });
    });
    const said = await waitFor('the phases', async () => {
      const now = await text();
      return now.includes('floy_deployment_phase_seconds_count{phase="undoing"} 1') && now;
    });
    expect(said).toMatch(
      /floy_deployment_phase_seconds_sum\{phase="queued"\} (1|0\.99\d*|1\.0\d*)\n/,
    );
    expect(said).toMatch(/floy_deployment_phase_seconds_sum\{phase="forward"\} (29|28\.9\d*)/);
    expect(said).toMatch(
      /floy_deployment_phase_seconds_sum\{phase="undoing"\} (10|9\.9\d*|10\.0\d*)\n/,
    );
  });

  it('tell of the queues and of the history that this process wrote', async () => {
    await runtime.deps.database.transaction(async (tx) => {
      tx.event({ stream: 'dep_forward', type: 'deployment.paused', subject: 'dep_forward' });
    });
    await expect(
      runtime.deps.database.transaction(async (tx) => {
        tx.event({ stream: 'dep_forward', type: 'deployment.paused', subject: 'dep_forward' });
        throw new Error('not committed');
      }),
    ).rejects.toThrow('not committed');
    const said = await text();
    expect(said).toContain('floy_events_total{type="deployment.paused"} 1');
    expect(said).toContain('floy_queue_jobs{queue="build-runner",state="waiting"} 0');
    expect(said).toMatch(/floy_pool_connections\{pool="shared",state="idle"\} [1-9]/);
  });
});
