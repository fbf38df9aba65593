import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createWorld, type Fate, type WorldApplication } from './world.fixture.js';

const noFate: Fate = {
  failingTasks: new Set(),
  failingTargets: new Set(),
  unstageableTargets: new Set(),
  unreturnableTargets: new Set(),
};

/** Runs a deployment to its end, ending work in the order of `choices`. */
function run(
  applications: WorldApplication[],
  options: Parameters<typeof createWorld>[1],
  fate: Fate,
  choices: number[] = [],
) {
  const simulation = createWorld(applications, options);
  simulation.advance();
  for (let step = 0; step < 500; step += 1) {
    const inWork = simulation.inWork();
    if (inWork.length === 0) break;
    const choice = inWork[(choices[step % Math.max(1, choices.length)] ?? 0) % inWork.length];
    if (choice !== undefined) simulation.end(choice, fate);
    simulation.advance();
    // A repeated or late message folds again: nothing may follow from it.
    simulation.advance();
  }
  return simulation.world;
}

const api: WorldApplication = {
  id: 'api',
  requires: [],
  targets: ['h1', 'h2', 'h3'],
  builds: true,
};
const web: WorldApplication = { id: 'web', requires: ['api'], targets: ['h4', 'h5'], builds: true };

describe('a deployment folded to its end', () => {
  it('succeeds when every instance was seen healthy', () => {
    const world = run([api, web], { batchSize: '1' }, noFate);
    expect(world.tree.deployment).toMatchObject({ status: 'success', phase: 'done' });
    expect(world.settled).toBe(1);
    expect(world.switchedAtOnce).toBe(1);
  });

  it('undoes in reverse order of requires what it had switched', () => {
    const world = run(
      [api, web],
      { batchSize: '100%' },
      { ...noFate, failingTargets: new Set(['h5']) },
    );
    expect(world.tree.deployment.status).toBe('rolled_back');
    const undone = world.history.filter(
      (line) => line.includes('"schedule-task"') && line.includes('undo'),
    );
    expect(undone.map((line) => (JSON.parse(line) as { taskId: string }).taskId)).toEqual([
      'undo web deploy',
      'undo api deploy',
    ]);
    const verdicts = world.tree.releases
      .filter(({ undo }) => !undo)
      .flatMap(({ instances }) => instances);
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(Array(5).fill('reverted'));
  });

  it('ends as failed when a target cannot be brought back', () => {
    const fate = {
      ...noFate,
      failingTargets: new Set(['h3']),
      unreturnableTargets: new Set(['h1']),
    };
    const world = run([api], { batchSize: '1' }, fate);
    expect(world.tree.deployment.status).toBe('failed');
    expect(world.tree.releases[0]?.instances.map(({ verdict }) => verdict)).toEqual([
      'unknown',
      'reverted',
      'reverted',
    ]);
  });

  it('returns the hosts that it can reach without waiting for the others', () => {
    const two: WorldApplication = { id: 'api', requires: [], targets: ['h1', 'h2'], builds: false };
    const simulation = createWorld([two], { batchSize: '100%' });
    const fate = { ...noFate, failingTargets: new Set(['h2']) };
    const undo = () => simulation.world.tree.releases.find((release) => release.undo)?.instances;
    simulation.advance();
    while (undo() === undefined) {
      simulation.end(simulation.inWork()[0] ?? '', fate);
      simulation.advance();
    }
    simulation.end(undo()?.[0]?.id ?? '', fate);
    simulation.advance();
    expect(undo()?.map(({ status }) => status)).toEqual(['switching', 'staging']);
  });

  it('keeps the evidence where there is nothing to return to', () => {
    const fate = { ...noFate, failingTargets: new Set(['h1']) };
    const world = run([api], { batchSize: '1', hasLastGood: false }, fate);
    expect(world.tree.deployment.status).toBe('failed');
    expect(world.tree.tasks.some(({ undoOf }) => undoOf !== null)).toBe(false);
    expect(world.tree.releases[0]?.instances.map(({ verdict }) => verdict)).toEqual([
      'unknown',
      'untouched',
      'untouched',
    ]);
  });

  it('switches nothing when a host cannot be staged', () => {
    const world = run(
      [api],
      { batchSize: '1' },
      { ...noFate, unstageableTargets: new Set(['h2']) },
    );
    expect(world.tree.deployment.status).toBe('failed');
    expect(world.history.some((line) => line.includes('"do":"switch"'))).toBe(false);
  });

  it('tolerates max_failures', () => {
    const world = run(
      [api],
      { batchSize: '1', maxFailures: 1 },
      { ...noFate, failingTargets: new Set(['h2']) },
    );
    expect(world.tree.deployment.status).toBe('success');
  });

  it('does not undo when it should not', () => {
    const options = { batchSize: '1', autoRollback: false };
    const world = run([api], options, { ...noFate, failingTargets: new Set(['h2']) });
    expect(world.tree.deployment.status).toBe('failed');
    expect(world.tree.releases[0]?.instances.map(({ verdict }) => verdict)).toEqual([
      'new',
      'unknown',
      'untouched',
    ]);
  });

  it('does not run what a failed task stands before', () => {
    const world = run(
      [api, web],
      { batchSize: '1' },
      { ...noFate, failingTasks: new Set(['api build']) },
    );
    expect(world.tree.deployment.status).toBe('failed');
    expect(world.tree.releases).toEqual([]);
    expect(
      world.tree.tasks.every(({ status }) => status === 'failed' || status === 'success'),
    ).toBe(true);
  });
});

describe('whatever the order in which parts end', () => {
  const subset = (names: string[]) => fc.subarray(names).map((each) => new Set(each));
  const hosts = ['h1', 'h2', 'h3', 'h4', 'h5'];
  const fates = fc.record<Fate>({
    failingTasks: fc.constant(new Set<string>()),
    failingTargets: subset(hosts),
    unstageableTargets: subset(hosts),
    unreturnableTargets: subset(hosts),
  });
  const orders = fc.array(fc.nat(1000), { minLength: 1, maxLength: 40 });

  it('comes to an end, settles once, and never has more than a batch in work', () => {
    fc.assert(
      fc.property(
        fates,
        orders,
        fc.constantFrom('1', '2', '100%', '1,50%'),
        (fate, order, batchSize) => {
          const world = run([api, web], { batchSize }, fate, order);
          expect(world.tree.deployment.phase).toBe('done');
          expect(world.settled).toBe(1);
          const instances = world.tree.releases
            .filter(({ undo }) => !undo)
            .flatMap((release) => release.instances);
          expect(instances.every(({ verdict }) => verdict !== null)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('the same one-batch fate has the same end in any order', () => {
    fc.assert(
      fc.property(fates, orders, orders, (fate, one, other) => {
        const ends = [one, other].map((order) => {
          const { tree } = run([api, web], { batchSize: '100%' }, fate, order);
          return [
            tree.deployment.status,
            tree.releases.flatMap((r) => r.instances).map((i) => [i.id, i.verdict]),
          ];
        });
        expect(ends[0]).toEqual(ends[1]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('whatever users do meanwhile', () => {
  type Action = 'end' | 'pause' | 'resume' | 'promote' | 'abort' | 'cancel' | 'leave' | 'wait';
  const actions = fc.array(
    fc.record({
      do: fc.oneof(
        { weight: 6, arbitrary: fc.constant<Action>('end') },
        {
          weight: 2,
          arbitrary: fc.constantFrom<Action>('pause', 'resume', 'promote', 'abort', 'wait'),
        },
        { weight: 1, arbitrary: fc.constantFrom<Action>('cancel', 'leave') },
      ),
      choice: fc.nat(1000),
    }),
    { maxLength: 40 },
  );
  const hosts = ['h1', 'h2', 'h3', 'h4', 'h5'];
  const some = fc.subarray(hosts).map((each) => new Set(each));
  const fates = fc.record<Fate>({
    failingTasks: fc.subarray(['api build', 'web build']).map((each) => new Set(each)),
    failingTargets: some,
    unstageableTargets: some,
    unreturnableTargets: some,
  });
  const options = fc.record({
    batchSize: fc.constantFrom('1', '1,2', '100%'),
    maxFailures: fc.nat(2),
    autoRollback: fc.boolean(),
    hasLastGood: fc.boolean(),
    runOnce: fc.boolean(),
  });

  function play(
    option: Parameters<typeof createWorld>[1],
    fate: Fate,
    steps: { do: Action; choice: number }[],
  ) {
    const simulation = createWorld([api, web], option);
    const endOne = (choice: number) => {
      const inWork = simulation.inWork();
      const id = inWork[choice % inWork.length];
      if (id !== undefined) simulation.end(id, fate);
    };
    simulation.advance();
    for (const step of steps) {
      if (step.do === 'end') endOne(step.choice);
      else if (step.do === 'wait') simulation.wait();
      else if (step.do === 'cancel') simulation.cancel(true);
      else if (step.do === 'leave') simulation.cancel(false);
      else simulation.steer(step.do);
      simulation.advance();
    }
    simulation.steer('resume');
    simulation.advance();
    for (let left = 0; left < 500 && simulation.inWork().length > 0; left += 1) {
      endOne(left);
      simulation.advance();
    }
    return simulation.world;
  }

  it('does not call a target free that is still being stopped, though the release may succeed', () => {
    const two: WorldApplication = { id: 'api', requires: [], targets: ['h1', 'h2'], builds: false };
    const simulation = createWorld([two], { batchSize: '100%', maxFailures: 1 });
    const endFirst = () => {
      const [first] = simulation.inWork();
      if (first !== undefined) simulation.end(first, noFate);
      simulation.advance();
    };
    simulation.advance();
    for (let ended = 0; ended < 3; ended += 1) endFirst();
    simulation.wait();
    simulation.advance();
    expect(simulation.world.tree.releases[0]?.status).toBe('completed');
    expect(simulation.world.settled).toBe(0);
    endFirst();
    expect(simulation.world).toMatchObject({
      settled: 1,
      tree: { deployment: { status: 'success' } },
    });
  });

  it('comes to an end, settles once, stops nothing any more and knows a verdict for each host', () => {
    fc.assert(
      fc.property(options, fates, actions, (option, fate, steps) => {
        const { tree, settled } = play(option, fate, steps);
        expect(tree.deployment).toMatchObject({ phase: 'done', pausedAt: null });
        expect(settled).toBe(1);
        const forward = tree.releases.filter(({ undo }) => !undo);
        for (const { targetId, touched, status, verdict } of forward.flatMap((r) => r.instances)) {
          const undo = tree.releases
            .filter((release) => release.undo)
            .flatMap((release) => release.instances)
            .find((instance) => instance.targetId === targetId);
          if (!touched) expect(verdict).toBe('untouched');
          else if (undo?.status === 'succeeded') expect(verdict).toBe('reverted');
          else if (undo?.touched) expect(verdict).toBe('unknown');
          else expect(verdict).toBe(status === 'succeeded' ? 'new' : verdict);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
