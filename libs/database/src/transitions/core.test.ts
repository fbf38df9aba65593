import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { transitions, type Machine } from '@floy/domain';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import { needsPostgres } from '@floy/testing/needs';
import fc from 'fast-check';
import { createDatabase, type Database } from '../database.js';
import { admit, startDeployment } from './admit.js';
import { cancelDeployment } from './cancel-deployment.js';
import { createDeployment } from './create-deployment.js';
import { setStatus } from './set-status.js';

const describeHere = await needsPostgres();

describeHere('transitions', () => {
  let own: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    own = await createTestDatabase();
    database = createDatabase({ url: own.url, applicationName: 'test' });
    await own.query(
      "INSERT INTO versions (id, git_tag, git_commit, repository, repository_key, created_by) VALUES ('ver', 'v1', 'abc1234', 'r', 'r', 't')",
    );
    await own.query("INSERT INTO environments (id, name, type) VALUES ('env', 'env', 'physical')");
    for (const id of ['a', 'b', 'c', 'd']) {
      await own.query(
        "INSERT INTO applications (id, name, repository, repository_key, type) VALUES ($1, $1, 'r', 'r', 't')",
        [id],
      );
    }
  });
  afterAll(async () => {
    await database.close();
    await own.drop();
  });

  const create = (applicationIds: string[]) =>
    database.transaction((tx) =>
      createDeployment(tx, {
        versionId: 'ver',
        applicationIds,
        environmentId: 'env',
        createdBy: 't',
      }),
    );
  const tryToStart = (id: string) =>
    database.transaction(async (tx) => {
      const admission = await admit(tx, id);
      if (admission.state !== 'admitted') return false;
      await startDeployment(tx, admission.deployment, {
        snapshot: Buffer.from('x'),
        autoRollback: true,
      });
      return true;
    });
  const cancel = (id: string) =>
    database.transaction((tx) => cancelDeployment(tx, id, { rollback: true, actor: 't' }));

  it('are refused by the database itself where the table does not know them', async () => {
    const { id } = await create(['a']);
    await expect(
      own.query("UPDATE deployments SET status = 'success' WHERE id = $1", [id]),
    ).rejects.toThrow('may not go from pending to success');
    await expect(
      own.query("UPDATE deployments SET status = 'odd' WHERE id = $1", [id]),
    ).rejects.toThrow();
    await cancel(id);
    await expect(
      own.query("UPDATE deployments SET status = 'running' WHERE id = $1", [id]),
    ).rejects.toThrow('may not go from failed to running');
  });

  it('change nothing where another was faster', async () => {
    const { id } = await create(['a']);
    await tryToStart(id);
    const ends = await Promise.all(
      (['success', 'failed'] as const).map((status) =>
        database.transaction((tx) => setStatus(tx, 'deployment', id, status)),
      ),
    );
    expect(ends.filter(Boolean)).toHaveLength(1);
    await own.query('UPDATE deployments SET settled_at = now() WHERE id = $1', [id]);
    await own.query('DELETE FROM slots');
  });

  it('admit in order, and never two on one application', async () => {
    const wishes = fc.array(fc.subarray(['a', 'b', 'c', 'd'], { minLength: 1 }), {
      minLength: 2,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(wishes, async (applications) => {
        const ids: string[] = [];
        for (const wanted of applications) ids.push((await create(wanted)).id);
        const left = new Set(ids);
        while (left.size > 0) {
          const started = await Promise.all([...left].map(tryToStart));
          const running = [...left].filter((_, index) => started[index]);
          // At least the first of those that are left can always start.
          expect(running[0]).toBe([...left][0]);
          const taken = running.flatMap((id) => applications[ids.indexOf(id)] ?? []);
          expect(new Set(taken).size).toBe(taken.length);
          // Nobody overtakes an earlier one that shares an application.
          for (const id of running) {
            const before = ids
              .slice(0, ids.indexOf(id))
              .filter((other) => left.has(other) && !running.includes(other));
            const shared = before.flatMap((other) => applications[ids.indexOf(other)] ?? []);
            const own = applications[ids.indexOf(id)] ?? [];
            expect(shared.filter((name) => own.includes(name))).toEqual([]);
          }
          for (const id of running) {
            await cancel(id);
            left.delete(id);
          }
        }
        expect(await own.query('SELECT 1 FROM slots')).toEqual([]);
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  it('know every state of the table', async () => {
    const tables = {
      deployment: 'deployments',
      task: 'tasks',
      release: 'releases',
      instance: 'release_instances',
      workflow: 'workflows',
    };
    for (const machine of Object.keys(transitions) as Machine[]) {
      const triggers = await own.query(
        "SELECT 1 FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname = 'check_transition'",
        [tables[machine]],
      );
      expect(triggers).toHaveLength(1);
    }
  });
});
