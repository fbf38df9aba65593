import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { needsSshd } from '@floy/testing/needs';
import type { ServiceProcess } from '@floy/testing/processes';
import { waitFor } from '@floy/testing/wait-for';
import { afterEach, expect, it } from '@jest/globals';
import { readLedger } from './stage/application.js';
import { isAlive, sumOf } from './stage/metrics.js';
import { setStage, type Stage, type StageOptions } from './stage/stage.js';
import { expectSound } from './stage/verdict.js';

const describeHere = await needsSshd();
const everything = process.env['FLOY_TEST_ALL_FAULTS'] === '1';

/** Who may take over was punctual for so long; a worker has to be up for longer. Milliseconds. */
const punctualMs = 11_000;
const tags = ['v1.0.0', 'v1.1.0'];

describeHere('a worker that was killed', () => {
  let stage: Stage;
  afterEach(() => stage.stop(), 60_000);

  const set = async (options: Partial<StageOptions>) => {
    stage = await setStage({ queue: 'redis', hosts: 1, tags, ...options });
  };
  const startedAt = new Map<number, number>();
  async function startDeployer(): Promise<ServiceProcess> {
    const process = await stage.fleet.start('physical-deployer');
    startedAt.set(process.pid, performance.now());
    return process;
  }
  const settledIn = (process: ServiceProcess) =>
    punctualMs - (performance.now() - (startedAt.get(process.pid) ?? -Infinity));

  const kills = everything ? 100 : 10;
  it(`is followed by another within 2 s, ${kills} times`, async () => {
    // A step that lasts for as long as the test wants.
    const hold = 'while [ -e "$FLOY_RELEASE_PATH/../../../../held" ]; do sleep 0.05; done';
    await set({ config: { post_switch_command: hold } });
    const held = join(stage.fleet.folder, 'held');
    const place = stage.places()[0] ?? '';
    const epoch = async () =>
      Number((await readFile(join(place, '.floy', 'epoch'), 'utf8').catch(() => '0')).trim());
    const workers = [stage.fleet.service('physical-deployer'), await startDeployer()];
    startedAt.set(workers[0]!.pid, performance.now());
    const took: number[] = [];
    for (let kill = 0; kill < kills; kill += 1) {
      await writeFile(held, '');
      const { id } = await stage.deploy(tags[kill % 2] ?? '');
      await waitFor(
        'a step in the middle',
        async () => {
          const rows = await stage.fleet.query(
            "SELECT 1 FROM release_instances WHERE deployment_id = $1 AND step = 'post_switch'",
            [id],
          );
          return rows.length > 0;
        },
        { timeoutMs: 30_000 },
      );
      const [lease] = await stage.fleet.query<{ holder: string }>(
        "SELECT holder FROM leases WHERE holder LIKE 'physical-deployer %' AND subject LIKE 'tgt_%'",
      );
      const victim = workers.findIndex(({ pid }) => lease?.holder.split(' ')[2] === String(pid));
      const others = workers.filter((_, at) => at !== victim);
      await delay(Math.max(0, ...others.map(settledIn)));
      const before = await epoch();
      workers[victim]?.kill('SIGKILL');
      const killedAt = performance.now();
      // The script that reads the journal takes the host's lock and leaves its epoch there.
      await waitFor('the journal to be read', async () => (await epoch()) > before, {
        timeoutMs: 20_000,
        everyMs: 5,
      });
      took.push(performance.now() - killedAt);
      workers[victim] = await startDeployer();
      await rm(held);
      expect(await stage.settled(id)).toMatchObject({ status: 'success' });
    }
    const p95 = took.sort((a, b) => a - b)[Math.ceil(took.length * 0.95) - 1] ?? Infinity;
    const all = took.map((ms) => Math.round(ms)).join(' ');
    process.stdout.write(`${kills} kills: p95 ${Math.round(p95)} ms, all ${all}\n`);
    // The small run shares its machine with other suites, whose load alone makes a beat late.
    expect(took.filter((ms) => ms > 2000).length).toBeLessThanOrEqual(
      kills * (everything ? 0.05 : 0.3),
    );
    const ledger = await readLedger(place);
    expect(ledger.filter(({ what }) => what === 'begin')).toHaveLength(kills);
    await expectSound(stage, { repeats: true });
  }, 3_600_000);

  const restarts = everything ? 20 : 4;
  it(`is not a worker whose Postgres was restarted, ${restarts} times under load`, async () => {
    const many = Array.from({ length: 200 }, (_, n) => `v1.${n}.0`);
    await set({ hosts: 4, tags: many, restartSeconds: 1 });
    await startDeployer();
    await startDeployer();
    let over = false;
    const load = (async () => {
      for (const tag of many) {
        if (over) return;
        const { id } = await stage.deploy(tag).catch(() => ({ id: '' }));
        // A request that met the restart is asked again with the next tag.
        if (id !== '')
          expect(await stage.settled(id, 120_000)).toMatchObject({ status: 'success' });
      }
    })();
    for (let restart = 0; restart < restarts; restart += 1) {
      // Also longer than the time in which nobody is taken for dead.
      await delay([2000, 7000, 13_000, 16_000][restart % 4] ?? 2000);
      await stage.fleet.postgres.restart();
    }
    await delay(13_000);
    over = true;
    await load;
    expect(await sumOf(stage.fleet, 'floy_leases_taken_over_total')).toBe(0);
    expect(await sumOf(stage.fleet, 'floy_workers_died_total')).toBe(0);
    expect(stage.fleet.processes.every(({ pid }) => isAlive(pid))).toBe(true);
    await expectSound(stage);
  }, 1_200_000);
});
