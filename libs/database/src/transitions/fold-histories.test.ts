import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isFinal } from '@floy/domain';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import fc from 'fast-check';
import { createDatabase, type Database } from '../database.js';
import type { InstanceRow } from '../rows.js';
import {
  createPlayedRollouts,
  type Fate,
  type PlayedApplication,
  type PlayedRollout,
} from './played-rollout.fixture.js';
import type { Steering } from './steer.js';

const describeHere = await needsPostgres();

/** Histories per property: all of them where the faults are tested whole. */
const histories = process.env['FLOY_TEST_ALL_FAULTS'] === '1' ? 2000 : 50;

const api = { id: 'api', targets: ['h1', 'h2', 'h3'], builds: true };
const web = { id: 'web', requires: ['api'], targets: ['h4', 'h5'], builds: true };
const both = ['api', 'web'];
const hosts = [...api.targets, ...web.targets];

/** What will happen to each part, decided before anything runs. */
interface Fates {
  readonly failingTasks: ReadonlySet<string>;
  /** Targets on which the forward release fails after it was switched. */
  readonly failing: ReadonlySet<string>;
  readonly unstageable: ReadonlySet<string>;
  /** Targets that are healthy at first, and then no longer. */
  readonly sickening: ReadonlySet<string>;
  /** Targets that cannot be brought back. */
  readonly unreturnable: ReadonlySet<string>;
}

const none: ReadonlySet<string> = new Set();
const noFates: Fates = {
  failingTasks: none,
  failing: none,
  sickening: none,
  unstageable: none,
  unreturnable: none,
};

interface Options extends PlayedRollout {
  readonly autoRollback?: boolean;
  readonly hasLastGood?: boolean;
}

describeHere('a deployment, folded in Postgres', () => {
  let own: TestDatabase;
  let database: Database;
  let played: Awaited<ReturnType<typeof createPlayedRollouts>>;
  beforeAll(async () => {
    own = await createTestDatabase();
    database = createDatabase({ url: own.url, applicationName: 'test' });
    const applications: PlayedApplication[] = [api, web];
    played = await createPlayedRollouts(own, database, applications);
    // What ran before, for undos to return to.
    const before = await begin(both, {});
    await played.carryOut(before);
    await own.query('ALTER TABLE targets ADD COLUMN good text');
    await own.query('UPDATE targets SET good = last_good_release_id');
  });
  afterAll(async () => {
    await database.close();
    await own.drop();
  });

  const ask = <R extends object>(sql: string, values: readonly unknown[] = []): Promise<R[]> =>
    database.transaction((tx) => tx.rows<R>(sql, values));

  /** A planned deployment of the second version. */
  async function begin(applications: readonly string[], options: Options): Promise<string> {
    if (options.hasLastGood !== undefined)
      await ask('UPDATE targets SET last_good_release_id = CASE WHEN ? THEN good END', [
        options.hasLastGood,
      ]);
    const { id } = await played.create(applications, 'ver_2');
    expect(await played.start(id, options.autoRollback)).toBe(true);
    await played.plan(id, applications, options);
    return id;
  }

  const fateOf =
    ({ failing, sickening, unstageable, unreturnable }: Fates): Fate =>
    ({ target_id, release_id, content_release_id }, work) => {
      if (work === 'looking') return sickening.has(target_id) ? 'is sick' : undefined;
      const undo = release_id !== content_release_id;
      const set = undo ? unreturnable : work === 'staging' ? unstageable : failing;
      if (undo && work === 'staging') return undefined;
      return set.has(target_id) ? 'is broken' : undefined;
    };

  /** Ends one piece of work, chosen by a number. False where there is none. */
  async function endOne(id: string, choice: number, fates: Fates): Promise<boolean> {
    const works = await played.inWork(id);
    const work = works[choice % Math.max(1, works.length)];
    if (!work) return false;
    await played.end(id, work, fateOf(fates), fates.failingTasks);
    return true;
  }

  /** Runs a deployment to its end, ending work in the order of `choices`. */
  async function run(
    applications: readonly string[],
    options: Options,
    fates: Fates,
    choices: readonly number[] = [0],
  ): Promise<string> {
    const id = await begin(applications, { hasLastGood: true, ...options });
    for (let step = 0; await endOne(id, choices[step % choices.length] ?? 0, fates); step += 1);
    return id;
  }

  const settled = async (id: string): Promise<number> => {
    const sql = "SELECT 1 FROM events WHERE stream = ? AND type = 'deployment.settled'";
    return (await ask(sql, [id])).length;
  };
  const verdicts = async (id: string) => {
    const instances = (await played.instancesOf(id)).filter(({ undo }) => !undo);
    return Object.fromEntries(instances.map(({ target_id, verdict }) => [target_id, verdict]));
  };
  const with_ = (more: Partial<Record<keyof Fates, string[]>>): Fates => {
    const sets = Object.entries(more).map(([name, list]) => [name, new Set(list)]);
    return { ...noFates, ...(Object.fromEntries(sets) as Partial<Fates>) };
  };

  describe('comes to its end', () => {
    it('as a success when every instance was seen healthy', async () => {
      const id = await run(both, { batchSize: '1' }, noFates);
      expect(await played.stateOf(id)).toMatchObject({ status: 'success', phase: 'done' });
      expect(await settled(id)).toBe(1);
    });

    it('undone in reverse order of requires', async () => {
      const id = await run(both, { batchSize: '100%' }, with_({ failing: ['h5'] }));
      expect(await played.stateOf(id)).toMatchObject({ status: 'rolled_back' });
      const undone = await ask<{ application_id: string }>(
        'SELECT application_id FROM tasks WHERE deployment_id = ? AND undo_of IS NOT NULL ORDER BY scheduled_at',
        [id],
      );
      expect(undone.map(({ application_id }) => application_id)).toEqual(['web', 'api']);
      expect(new Set(Object.values(await verdicts(id)))).toEqual(new Set(['reverted']));
    });

    it('as failed when a target cannot be brought back', async () => {
      const fates = with_({ failing: ['h3'], unreturnable: ['h1'] });
      const id = await run(['api'], { batchSize: '1' }, fates);
      expect(await played.stateOf(id)).toMatchObject({ status: 'failed' });
      expect(await verdicts(id)).toEqual({ h1: 'unknown', h2: 'reverted', h3: 'reverted' });
    });

    it('returning the hosts that it can reach without waiting for the others', async () => {
      const id = await begin(['web'], { batchSize: '100%', hasLastGood: true });
      const fates = with_({ failing: ['h5'] });
      const undo = async () => (await played.instancesOf(id)).filter((each) => each.undo);
      while ((await undo()).length === 0) expect(await endOne(id, 0, fates)).toBe(true);
      const [first] = (await played.inWork(id)).filter(
        (work) => work.what === 'instance' && work.row.target_id === 'h4',
      );
      await played.end(id, first!, fateOf(fates));
      // The broken one is waited for, but not for long.
      expect((await undo()).map(({ status }) => status)).toEqual(['staged', 'staging']);
      await played.passDays(id, 6 / 86_400);
      await played.advance(id);
      expect((await undo()).map(({ status }) => status)).toEqual(['switching', 'staging']);
      await played.carryOut(id);
    });

    it('keeping the evidence where there is nothing to return to', async () => {
      const options = { batchSize: '1', hasLastGood: false };
      const id = await run(['api'], options, with_({ failing: ['h1'] }));
      expect(await played.stateOf(id)).toMatchObject({ status: 'failed' });
      expect(await verdicts(id)).toEqual({ h1: 'new', h2: 'untouched', h3: 'untouched' });
      const undos = 'SELECT 1 FROM tasks WHERE deployment_id = ? AND undo_of IS NOT NULL';
      expect(await ask(undos, [id])).toEqual([]);
    });

    it('switching nothing when a host cannot be staged', async () => {
      const id = await run(['api'], { batchSize: '1' }, with_({ unstageable: ['h2'] }));
      expect(await played.stateOf(id)).toMatchObject({ status: 'failed' });
      expect(new Set(Object.values(await verdicts(id)))).toEqual(new Set(['untouched']));
    });

    it('tolerating max_failures', async () => {
      const options = { batchSize: '1', maxFailures: 1 };
      const id = await run(['api'], options, with_({ failing: ['h2'] }));
      expect(await played.stateOf(id)).toMatchObject({ status: 'success' });
    });

    it('without an undo where none is wanted', async () => {
      const options = { batchSize: '1', autoRollback: false };
      const id = await run(['api'], options, with_({ failing: ['h2'] }));
      expect(await played.stateOf(id)).toMatchObject({ status: 'failed' });
      expect(await verdicts(id)).toEqual({ h1: 'new', h2: 'new', h3: 'untouched' });
    });

    it('not running what a failed task stands before', async () => {
      const id = await run(both, { batchSize: '1' }, with_({ failingTasks: ['api'] }));
      expect(await played.stateOf(id)).toMatchObject({ status: 'failed' });
      expect(await played.instancesOf(id)).toEqual([]);
      const open = 'SELECT 1 FROM tasks WHERE deployment_id = ? AND completed_at IS NULL';
      expect(await ask(open, [id])).toEqual([]);
    });

    it('not calling a target free that is still being stopped', async () => {
      const options = { batchSize: '100%', maxFailures: 1, hasLastGood: true };
      const id = await begin(['web'], options);
      await endOne(id, 0, noFates);
      while ((await played.inWork(id)).some(({ what }) => what === 'task'))
        await endOne(id, 0, noFates);
      await endOne(id, 0, noFates);
      await endOne(id, 0, noFates);
      const [one, other] = await played.inWork(id);
      await played.end(id, one!, fateOf(noFates));
      await played.begin(id, other!);
      await played.passDays(id, 9);
      await played.advance(id);
      const releases = 'SELECT status FROM releases WHERE deployment_id = ?';
      expect(await ask(releases, [id])).toEqual([{ status: 'completed' }]);
      expect(await settled(id)).toBe(0);
      await played.carryOut(id);
      expect(await played.stateOf(id)).toMatchObject({ status: 'success', settled: true });
    });
  });

  const subset = (names: string[]) => fc.subarray(names).map((each) => new Set(each));
  const fates = fc.record<Fates>({
    failingTasks: fc.constantFrom(none, none, none, new Set(['web'])),
    failing: subset(hosts),
    sickening: fc.oneof(fc.constant(none), subset(hosts)),
    unstageable: fc.oneof(fc.constant(none), subset(hosts)),
    unreturnable: subset(hosts),
  });
  const orders = fc.array(fc.nat(1000), { minLength: 1, maxLength: 40 });

  it('has the same end in whatever order the parts of one batch end', async () => {
    await fc.assert(
      fc.asyncProperty(fates, orders, orders, async (fates, one, other) => {
        // A failed build ends the other applications wherever they happen to be.
        const fate = { ...fates, failingTasks: none };
        const ends: unknown[] = [];
        for (const order of [one, other]) {
          const id = await run(both, { batchSize: '100%' }, fate, order);
          const { status } = (await played.stateOf(id)) ?? {};
          ends.push([status, await verdicts(id), await settled(id)]);
        }
        expect(ends[0]).toEqual(ends[1]);
      }),
      { numRuns: histories / 2 },
    );
  }, 600_000);

  type Action = 'end' | 'begin' | 'late copy' | 'cancel' | 'leave' | 'wait' | Steering;
  const actions = fc.array(
    fc.record({
      do: fc.oneof(
        { weight: 6, arbitrary: fc.constant<Action>('end') },
        { weight: 2, arbitrary: fc.constantFrom<Action>('begin', 'late copy') },
        {
          weight: 2,
          arbitrary: fc.constantFrom<Action>('pause', 'resume', 'promote', 'abort', 'wait'),
        },
        { weight: 1, arbitrary: fc.constantFrom<Action>('cancel', 'leave') },
      ),
      choice: fc.nat(1000),
    }),
    { maxLength: 30 },
  );
  const options = fc.record({
    batchSize: fc.constantFrom('1', '1,2', '100%'),
    maxFailures: fc.nat(2),
    autoRollback: fc.boolean(),
    hasLastGood: fc.boolean(),
    runOnce: fc.boolean(),
  });

  /** Does one thing that may happen to a deployment; nothing where it cannot any more. */
  async function act(id: string, step: { do: Action; choice: number }, fate: Fates) {
    const { deployment } = await played.treeOf(id);
    const open = !isFinal('deployment', deployment.status);
    const works = await played.inWork(id);
    const work = works[step.choice % Math.max(1, works.length)];
    switch (step.do) {
      case 'end':
        return void (await endOne(id, step.choice, fate));
      case 'begin':
        return work && played.begin(id, work);
      case 'late copy':
        return played.advance(id);
      case 'wait':
        await played.passDays(id, 9);
        return played.advance(id);
      case 'cancel':
      case 'leave':
        return open ? played.cancel(id, step.do === 'cancel') : undefined;
      default:
        if (open && deployment.phase === 'forward') await played.steer(id, step.do);
    }
  }

  async function expectSound(id: string): Promise<void> {
    expect(await played.stateOf(id)).toMatchObject({ phase: 'done', settled: true });
    expect(await settled(id)).toBe(1);
    const instances = await played.instancesOf(id);
    expect(instances.filter(({ stopping, looking }) => stopping || looking)).toEqual([]);
    const undone = new Map(
      instances.filter(({ undo }) => undo).map((undo) => [undo.target_id, undo] as const),
    );
    // Whatever was cut in the middle of its switch was brought to an end.
    const cut = instances.filter(({ touched, status }) => touched && status === 'cancelled');
    expect(cut.filter((each) => each.undo)).toEqual([]);
    for (const { target_id, from_release_id } of cut)
      if (from_release_id !== null) expect([target_id, undone.has(target_id)]).toContain(true);
    for (const each of instances.filter(({ undo }) => !undo))
      expect([each.target_id, each.verdict]).toEqual([
        each.target_id,
        expectedVerdict(each, undone.get(each.target_id)),
      ]);
    expect(await ask('SELECT * FROM slots')).toEqual([]);
  }

  function expectedVerdict(forward: InstanceRow, undo: InstanceRow | undefined) {
    if (!forward.touched) return 'untouched';
    if (undo?.status === 'succeeded') return forward.from_release_id === null ? 'new' : 'reverted';
    if (undo?.touched) return 'unknown';
    // Nobody has seen it healthy after it was interrupted.
    if (forward.status === 'cancelled') return 'unknown';
    return forward.status === 'succeeded' && !forward.sickened_at ? 'new' : forward.verdict;
  }

  it('settles once and knows a verdict for each host, whatever users do meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(options, fates, actions, async (option, fate, steps) => {
        const id = await begin(both, option);
        for (const step of steps) await act(id, step, fate);
        await act(id, { do: 'resume', choice: 0 }, fate);
        for (let left = 0; await endOne(id, left, fate); left += 1);
        await expectSound(id);
      }),
      { numRuns: histories },
    );
  }, 600_000);

  it('leaves every state by its deadline alone, where no worker lives any more', async () => {
    await fc.assert(
      fc.asyncProperty(options, fates, actions, async (option, fate, steps) => {
        const id = await begin(both, option);
        for (const step of steps) await act(id, step, fate);
        for (let round = 0; round < 12; round += 1) {
          await played.passDays(id, 9);
          await played.advance(id);
        }
        await expectSound(id);
      }),
      { numRuns: histories },
    );
  }, 600_000);
});
