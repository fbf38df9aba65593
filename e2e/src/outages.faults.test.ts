import { setTimeout as delay } from 'node:timers/promises';
import { needsSshd } from '@floy/testing/needs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { runningOn } from './stage/application.js';
import { freeze } from './stage/frozen.js';
import { isAlive, sumOf } from './stage/metrics.js';
import { setStage, type Stage } from './stage/stage.js';
import { expectSound } from './stage/verdict.js';

const describeHere = await needsSshd();
const everything = process.env['FLOY_TEST_ALL_FAULTS'] === '1';

/** How long Postgres is away: longer than a lease, and than every limit on a statement. Seconds. */
const awaySeconds = everything ? 60 : 15;
const points = ['created', 'building', 'staging', 'restarting'] as const;

for (const queue of everything ? (['redis', 'postgres'] as const) : (['redis'] as const)) {
  describeHere(`Postgres out of reach, with the queue on ${queue}`, () => {
    let stage: Stage;
    let version = 0;
    const tags = Array.from({ length: 12 }, (_, n) => `v1.${n}.0`);
    beforeAll(async () => {
      stage = await setStage({ queue, hosts: 2, tags, restartSeconds: 2, buildSeconds: 2 });
    }, 90_000);
    afterAll(() => stage.stop(), 60_000);

    const ways = { stopped: stopped, frozen: frozen };
    /** Ends it in order, and starts it again later. */
    async function stopped(): Promise<void> {
      const { postgres } = stage.fleet;
      await postgres.stop();
      await delay(awaySeconds * 1000);
      await postgres.restart();
    }
    /** Connections stay open and nobody answers. */
    async function frozen(): Promise<void> {
      const thaw = freeze(stage.fleet.postgres.pid);
      await delay(awaySeconds * 1000);
      thaw();
    }

    const cases = Object.keys(ways).flatMap((way) =>
      (everything ? points : points.slice(1)).map(
        (point) => [way as keyof typeof ways, point] as const,
      ),
    );
    it.each(cases)(
      '%s when the deployment is %s: everything goes on, and no message has an error',
      async (way, point) => {
        const tag = tags[version++] ?? '';
        const before = await sumOf(stage.fleet, 'floy_outages_total');
        const { id } = await stage.deploy(tag);
        if (point !== 'created') await stage.reaches(id, point);
        await ways[way]();
        expect(await stage.settled(id)).toMatchObject({ status: 'success' });
        expect(await Promise.all(stage.places().map(runningOn))).toEqual([tag, tag]);
        await expectSound(stage);
        const errors = 'SELECT kind, errors, last_error FROM messages WHERE errors > 0';
        expect(await stage.fleet.query(errors)).toEqual([]);
        expect(await sumOf(stage.fleet, 'floy_outages_total')).toBeGreaterThan(before);
        expect(stage.fleet.processes.every(({ pid }) => isAlive(pid))).toBe(true);
      },
      180_000,
    );
  });
}

describeHere('hosts and repositories that refuse connections', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await setStage({ queue: 'redis', hosts: 2, tags: ['v1.0.0', 'v1.1.0'] });
  }, 90_000);
  afterAll(() => stage.stop(), 60_000);

  /** Nothing of it was an outage, and nothing was tried again and again. */
  async function expectNoOutage(id: string): Promise<void> {
    expect(await sumOf(stage.fleet, 'floy_outages_total')).toBe(0);
    const messages = await stage.fleet.query<{ kind: string; claims: number; errors: number }>(
      "SELECT kind, claims, errors FROM messages WHERE payload->>'deployment_id' = $1",
      [id],
    );
    expect(messages.filter(({ claims, errors }) => claims > 1 || errors > 0)).toEqual([]);
  }

  it('end the work with the host named; Postgres is well', async () => {
    await stage.hosts.stop();
    const { id } = await stage.deploy('v1.0.0');
    const ended = await stage.settled(id, 150_000);
    expect(ended.status).toBe('failed');
    const [first, second] = stage.hosts.hosts;
    expect(ended.error_message).toMatch(new RegExp(`127.0.0.1:(${first?.port}|${second?.port})`));
    expect(ended.error_message).toContain('ECONNREFUSED');
    await expectNoOutage(id);
  }, 180_000);

  it('end a build with the repository named', async () => {
    const application = await stage.fleet.client.createApplication({
      name: 'away',
      repository: 'https://127.0.0.1:1/acme/away',
      type: 'service',
    });
    const version = await stage.fleet.client.createVersion({
      git_tag: 'v1.0.0',
      git_commit: 'a'.repeat(40),
      repository: 'https://127.0.0.1:1/acme/away',
    });
    const { id } = await stage.fleet.client.createDeployment({
      version_id: version.id,
      application_ids: [application.id],
      environment_id: stage.environmentId,
    });
    const ended = await stage.settled(id, 60_000);
    expect(ended.error_message).toContain('https://127.0.0.1:1/acme/away');
    await expectNoOutage(id);
  }, 90_000);
});
