import { afterEach, expect, it } from '@jest/globals';
import { needsSshd } from '@floy/testing/needs';
import { waitFor } from '@floy/testing/wait-for';
import { readLedger, runningOn } from './stage/application.js';
import { serviceNames } from './stage/fleet.js';
import { setStage, type Stage, type StageOptions } from './stage/stage.js';
import { expectSound } from './stage/verdict.js';

const describeHere = await needsSshd();

describeHere('workers that die, sleep and compete', () => {
  let stage: Stage;
  afterEach(() => stage.stop(), 60_000);
  const set = async (options: Partial<StageOptions> = {}) => {
    stage = await setStage({ queue: 'redis', hosts: 1, tags: ['v1.0.0', 'v1.1.0'], ...options });
  };

  it('the same job, its worker killed five times, still ends right', async () => {
    await set({ restartSeconds: 70 });
    const { id } = await stage.deploy('v1.0.0');
    await stage.reaches(id, 'restarting');
    for (let kill = 1; kill <= 5; kill += 1) {
      await stage.fleet.killAndRestart('physical-deployer');
      if (kill === 5) break;
      await waitFor(
        'another worker to take over',
        async () => {
          const rows = await stage.fleet.query<{ attempts: number }>(
            'SELECT attempts FROM release_instances WHERE deployment_id = $1',
            [id],
          );
          return (rows[0]?.attempts ?? 0) >= 2 + kill;
        },
        { timeoutMs: 30_000, everyMs: 100 },
      );
    }
    expect(await stage.settled(id, 120_000)).toMatchObject({ status: 'success' });
    const ledger = await readLedger(stage.places()[0] ?? '');
    expect(ledger.map(({ what }) => what)).toEqual(['begin', 'end']);
    await expectSound(stage);
  }, 240_000);

  it('a worker stopped beyond its lease writes nothing when it wakes', async () => {
    await set({ restartSeconds: 1 });
    const first = stage.fleet.service('physical-deployer');
    const { id } = await stage.deploy('v1.0.0');
    await stage.reaches(id, 'restarting');
    first.kill('SIGSTOP');
    await stage.fleet.start('physical-deployer');
    expect(await stage.settled(id, 60_000)).toMatchObject({ status: 'success' });
    const written = () =>
      Promise.all([
        stage.fleet.query('SELECT * FROM release_instances WHERE deployment_id = $1', [id]),
        stage.fleet.query('SELECT * FROM tasks WHERE deployment_id = $1 ORDER BY id', [id]),
        stage.fleet.query('SELECT seq, type, data FROM events WHERE stream = $1 ORDER BY seq', [
          id,
        ]),
      ]);
    const before = await written();
    first.kill('SIGCONT');
    const next = await stage.deploy('v1.1.0');
    expect(await stage.settled(next.id)).toMatchObject({ status: 'success' });
    expect(await written()).toEqual(before);
    await expectSound(stage);
  }, 150_000);

  it('twenty deployments at once on two sets of workers: one after the other, in order', async () => {
    const tags = Array.from({ length: 20 }, (_, n) => `v1.${n}.0`);
    await set({ tags, restartSeconds: 0 });
    for (const name of serviceNames) {
      if (name !== 'api-gateway') await stage.fleet.start(name);
    }
    const deployments = await Promise.all(tags.map((tag) => stage.deploy(tag)));
    for (const { id } of deployments) {
      expect(await stage.settled(id, 120_000)).toMatchObject({ status: 'success' });
    }
    const queued = await stage.fleet.query<{ tag: string }>(
      'SELECT v.git_tag AS tag FROM deployments d JOIN versions v ON v.id = d.version_id ORDER BY d.queued_at, d.id',
    );
    const ledger = await readLedger(stage.places()[0] ?? '');
    expect(ledger.filter(({ what }) => what === 'begin').map(({ version }) => version)).toEqual(
      queued.map(({ tag }) => tag),
    );
    expect(await runningOn(stage.places()[0] ?? '')).toBe(queued.at(-1)?.tag);
    await expectSound(stage);
  }, 240_000);
});
