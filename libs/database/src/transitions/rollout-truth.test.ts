import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import { createDatabase, type Database } from '../database.js';
import { finishInstance } from './instance-work.js';
import { createPlayedRollouts, type Fate, type PlayedRollout } from './played-rollout.fixture.js';

const describeHere = await needsPostgres();

const names = ['cut', 'broken', 'baked', 'late', 'never', 'single', 'steered', 'same'];
const targetsOf = (name: string) => [1, 2, 3, 4, 5, 6].map((host) => `${name}-h${host}`);

describeHere('a rollout to six hosts', () => {
  let own: TestDatabase;
  let database: Database;
  let played: Awaited<ReturnType<typeof createPlayedRollouts>>;
  beforeAll(async () => {
    own = await createTestDatabase();
    database = createDatabase({ url: own.url, applicationName: 'test' });
    const applications = names.map((id) => ({ id, targets: targetsOf(id) }));
    played = await createPlayedRollouts(own, database, applications);
  });
  afterAll(async () => {
    await database.close();
    await own.drop();
  });

  async function begin(name: string, rollout: PlayedRollout, version = 'ver_2'): Promise<string> {
    const { id } = await played.create([name], version);
    expect(await played.start(id)).toBe(true);
    await played.plan(id, [name], { batchSize: '2', ...rollout });
    return id;
  }
  /** The same, where an earlier version is the last good one everywhere. */
  async function beginAgain(name: string, rollout: PlayedRollout = {}): Promise<string> {
    await played.carryOut(await begin(name, { batchSize: '100%' }, 'ver_1'));
    return begin(name, rollout);
  }
  const workAt = async (id: string, target: string) =>
    (await played.inWork(id)).find((work) => work.what !== 'task' && work.row.target_id === target);
  /** Ends the work on these hosts, whatever it is. */
  async function end(id: string, targets: readonly string[], fate: Fate = () => undefined) {
    for (const target of targets) {
      const work = await workAt(id, target);
      expect([target, work?.what]).not.toEqual([target, undefined]);
      await played.end(id, work!, fate);
    }
  }
  /** Ends the looks at hosts that were switched before; a slow test has some more of them. */
  async function endLooks(id: string): Promise<void> {
    for (const work of await played.inWork(id))
      if (work.what === 'look') await played.end(id, work, () => undefined);
  }
  const switched = async (id: string, undo = false) =>
    (await played.instancesOf(id))
      .filter((each) => each.undo === undo && each.status === 'switching')
      .map(({ target_id }) => target_id);
  const verdicts = async (id: string) =>
    (await played.instancesOf(id)).filter(({ undo }) => !undo).map(({ verdict }) => verdict);
  const messageOf = async (id: string) =>
    (
      await own.query<{ error_message: string }>(
        'SELECT error_message FROM deployments WHERE id = $1',
        [id],
      )
    )[0]?.error_message;
  const fails =
    (...targets: string[]): Fate =>
    ({ target_id, release_id, content_release_id }, work) =>
      work === 'switching' && release_id === content_release_id && targets.includes(target_id)
        ? `${target_id} is broken`
        : undefined;

  /** Two hosts finished, one of the next two cut in its switch, the other not begun. */
  async function cut(id: string, name: string): Promise<void> {
    const hosts = targetsOf(name);
    await end(id, hosts);
    await end(id, hosts.slice(0, 2));
    await endLooks(id);
    expect(await switched(id)).toEqual(hosts.slice(2, 4));
    await played.begin(id, (await workAt(id, hosts[2]!))!);
    await played.cancel(id, false);
  }

  it('leaves no service stopped that a cancel without rollback interrupts: it is returned', async () => {
    const id = await beginAgain('cut');
    await cut(id, 'cut');
    await played.carryOut(id);
    const left = ['untouched', 'untouched', 'untouched'];
    expect(await verdicts(id)).toEqual(['new', 'new', 'reverted', ...left]);
    expect(await played.stateOf(id)).toMatchObject({ status: 'failed', settled: true });
  });

  it('starts an interrupted host on the new release where there is nothing to return to', async () => {
    const id = await begin('single', {});
    await cut(id, 'single');
    await played.carryOut(id);
    const left = ['untouched', 'untouched', 'untouched'];
    expect(await verdicts(id)).toEqual(['new', 'new', 'new', ...left]);
    const finished = (await played.instancesOf(id)).filter((each) => each.undo);
    expect(finished.map(({ target_id, status }) => [target_id, status])).toEqual([
      ['single-h3', 'succeeded'],
    ]);
  });

  it('ends what an undo has begun to switch when it is cancelled, and begins no more of it', async () => {
    const id = await beginAgain('cut');
    const hosts = targetsOf('cut');
    await end(id, hosts);
    await end(id, hosts.slice(0, 2), fails('cut-h1'));
    await endLooks(id);
    await end(id, hosts.slice(0, 2));
    expect(await switched(id, true)).toEqual(['cut-h1']);
    await played.begin(id, (await workAt(id, 'cut-h1'))!);
    await played.cancel(id, false);
    expect(await switched(id, true)).toEqual(['cut-h1']);
    await played.carryOut(id);
    expect((await verdicts(id)).slice(0, 3)).toEqual(['reverted', 'new', 'untouched']);
    expect(await played.stateOf(id)).toMatchObject({ status: 'failed', settled: true });
  });

  it('is undone from the broken host on, as many at once as were switched at once', async () => {
    const id = await beginAgain('broken');
    const hosts = targetsOf('broken');
    await end(id, hosts);
    await end(id, hosts.slice(0, 2));
    await endLooks(id);
    await end(id, hosts.slice(2, 4), fails('broken-h4'));
    // The healthy ones are reached first, and still wait for the broken one.
    await end(id, hosts.slice(0, 3));
    expect(await switched(id, true)).toEqual([]);
    await end(id, ['broken-h4']);
    const order: string[][] = [];
    for (;;) {
      const next = await switched(id, true);
      if (next.length === 0) break;
      order.push(next);
      await end(id, next);
    }
    expect(order).toEqual([['broken-h4'], ['broken-h1', 'broken-h2'], ['broken-h3']]);
    expect(await played.stateOf(id)).toMatchObject({ status: 'rolled_back' });
  });

  it('undoes as many at once as a promotion had switched at once', async () => {
    const id = await beginAgain('broken', { bakeSeconds: 600 });
    const hosts = targetsOf('broken');
    await end(id, hosts);
    await end(id, hosts.slice(0, 2));
    await played.steer(id, 'promote');
    await endLooks(id);
    expect(await switched(id)).toEqual(hosts.slice(2));
    await end(id, hosts.slice(2), fails('broken-h6'));
    await end(id, hosts);
    await end(id, ['broken-h6']);
    expect(await switched(id, true)).toEqual(hosts.slice(0, 4));
    await played.carryOut(id);
  });

  it('does not bake for hosts where nothing was touched', async () => {
    const earlier = await begin('same', { batchSize: '100%' });
    await played.carryOut(earlier);
    const id = await begin('same', { batchSize: '2', bakeSeconds: 600 });
    const hosts = targetsOf('same');
    for (const instance of await played.instancesOf(id)) {
      if (!hosts.slice(0, 2).includes(instance.target_id)) continue;
      const [release] = await own.query<{ found: string }>(
        'SELECT current_release_id AS found FROM targets WHERE id = $1',
        [instance.target_id],
      );
      const found = release?.found ?? '';
      const observation = { releaseId: found, observed: 'new' } as const;
      const end = { status: 'succeeded', message: '', observation, found } as const;
      const ids = { deploymentId: id, instanceId: instance.id };
      await database.transaction((tx) => finishInstance(tx, ids, end));
    }
    await end(id, hosts.slice(2));
    expect(await switched(id)).toEqual(hosts.slice(2, 4));
  });

  it('notices a service that died while it baked, before the next batch', async () => {
    const id = await beginAgain('baked', { bakeSeconds: 6 });
    const hosts = targetsOf('baked');
    await end(id, hosts);
    await end(id, hosts.slice(0, 2));
    expect(await played.inWork(id)).toEqual([]);
    await played.passDays(id, 7 / 86_400);
    await played.advance(id);
    await end(id, ['baked-h1'], (_, work) => (work === 'looking' ? 'h1 died' : undefined));
    await end(id, ['baked-h2']);
    expect(await switched(id)).toEqual([]);
    await played.carryOut(id);
    expect(await played.stateOf(id)).toMatchObject({ status: 'rolled_back' });
    expect(await messageOf(id)).toContain('1 of 6 instances failed: h1 died');
    expect(await verdicts(id)).toEqual([
      ...['reverted', 'reverted'],
      ...Array<string>(4).fill('untouched'),
    ]);
  });

  it('notices at the end that an earlier host has died, and never calls it the last good one', async () => {
    const id = await beginAgain('late', { maxFailures: 1, batchSize: '3' });
    const hosts = targetsOf('late');
    const dies: Fate = ({ target_id }, work) =>
      work === 'looking' && target_id === 'late-h2' ? 'h2 died' : undefined;
    await played.carryOut(id, dies);
    // Within the budget, it is no success of this host.
    expect(await played.stateOf(id)).toMatchObject({ status: 'success' });
    const good = await own.query<{ id: string; version: string }>(
      `SELECT t.id, r.version FROM targets t JOIN releases r ON r.id = t.last_good_release_id
       WHERE t.application_id = 'late' ORDER BY t.id`,
    );
    expect(good.map(({ version }) => version)).toEqual(
      hosts.map((host) => (host === 'late-h2' ? 'ver_1' : 'ver_2')),
    );
    expect((await played.instancesOf(id))[1]).toMatchObject({ error_message: 'h2 died' });
  });

  it('says which host had nothing to return to, and what that means', async () => {
    const id = await beginAgain('never');
    await own.query(`UPDATE release_instances SET from_release_id = NULL
                     WHERE deployment_id = '${id}' AND target_id = 'never-h1'`);
    await played.carryOut(id, fails('never-h2'));
    expect(await played.stateOf(id)).toMatchObject({ status: 'failed' });
    expect(await messageOf(id)).toMatch(
      /never-h2 is broken; never-h1 had never been healthy here: left on ver_2$/,
    );
  });

  it('says which application had nothing to return to', async () => {
    await own.query(
      "UPDATE targets SET last_good_release_id = NULL WHERE application_id = 'never'",
    );
    const id = await begin('never', {});
    await played.carryOut(id, fails('never-h2'));
    expect(await messageOf(id)).toMatch(/; never had never been healthy here: left on ver_2$/);
  });

  it('says so of a cancelled one as well', async () => {
    const id = await begin('single', {});
    const hosts = targetsOf('single');
    await end(id, hosts);
    await end(id, hosts.slice(0, 2));
    await played.cancel(id);
    await played.carryOut(id);
    expect(await messageOf(id)).toBe(
      'Deployment cancelled by user t; single had never been healthy here: left on ver_2',
    );
  });

  it('says which host a rollback did not bring back', async () => {
    const id = await beginAgain('never');
    await played.carryOut(id, ({ target_id, release_id, content_release_id }, work) => {
      if (work !== 'switching') return undefined;
      if (target_id === 'never-h2') return 'is broken';
      return release_id !== content_release_id && target_id === 'never-h1' ? 'is lost' : undefined;
    });
    expect(await messageOf(id)).toMatch(
      /; the rollback did not succeed on never-h1, never-h2: deploy what shall run there$/,
    );
  });

  it('cannot be promoted while an approval is awaited, and says what is awaited', async () => {
    const id = await begin('steered', { approval: true });
    await end(id, targetsOf('steered'));
    await expect(played.steer(id, 'promote')).rejects.toMatchObject({
      message: expect.stringContaining('awaits approval'),
      details: { waiting_for: 'Approval' },
    });
    await played.steer(id, 'approve');
    expect(await switched(id)).toEqual(['steered-h1', 'steered-h2']);
    await played.steer(id, 'promote');
    await played.steer(id, 'abort');
    await played.carryOut(id);
    expect(await messageOf(id)).toContain('The rollout was aborted by t');
    expect(await messageOf(id)).toContain('t had approved the rollout');
    const [row] = await own.query('SELECT * FROM deployments WHERE id = $1', [id]);
    expect(row).toMatchObject({ approved_by: 't', promoted_by: 't', aborted_by: 't' });
  });

  it('says who has cancelled it', async () => {
    const id = await begin('steered', {});
    await played.steer(id, 'pause');
    expect((await played.treeOf(id)).deployment.by.paused).toBe('t');
    await played.cancel(id);
    expect(await messageOf(id)).toBe('Deployment cancelled by user t');
    await played.carryOut(id);
  });
});
