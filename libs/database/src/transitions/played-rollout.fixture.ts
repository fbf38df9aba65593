import { planTasks, type DeploymentTree } from '@floy/domain';
import type { TestDatabase } from '@floy/testing/database';
import type { Database } from '../database.js';
import type { DeploymentRow, InstanceRow } from '../rows.js';
import { admit, startDeployment } from './admit.js';
import { advanceDeployment, taskScheduler } from './advance.js';
import { cancelDeployment } from './cancel-deployment.js';
import { createDeployment } from './create-deployment.js';
import { beginInstance, finishInstance, finishStop, type InstanceWork } from './instance-work.js';
import { beginLook, finishLook } from './look-work.js';
import { lockTree } from './load-tree.js';
import { makeWorkflow, planWorkflow, type TaskToCreate } from './plan-workflow.js';
import { steerDeployment, type Steering } from './steer.js';
import { beginTask } from './task-work.js';

/** The versions of a played installation. */
export const versions = ['ver_1', 'ver_2'] as const;

/** An application with its targets, whose ids are those of their instances. */
export interface PlayedApplication {
  readonly id: string;
  readonly targets: readonly string[];
  readonly builds?: boolean;
  readonly requires?: readonly string[];
}

/** How a release goes to its targets. */
export interface PlayedRollout {
  readonly batchSize?: string;
  readonly maxFailures?: number;
  readonly bakeSeconds?: number;
  readonly approval?: boolean;
  readonly runOnce?: boolean;
}

/** Decides an instance's fate: the reason why it fails, or is found sick, or undefined. */
export type Fate = (
  instance: InstanceRow,
  work: InstanceWork | 'looking',
) => string | undefined | Promise<string | undefined>;

/** One piece of work that could end now. */
export type Work =
  | { readonly what: 'task'; readonly id: string; readonly applicationId: string }
  | { readonly what: 'instance' | 'stop' | 'look'; readonly id: string; readonly row: InstanceRow };

/** Two targets of an application with this name. */
export function twoTargets(id: string): PlayedApplication {
  return { id, targets: [`${id}-h1`, `${id}-h2`] };
}

/**
 * Deployments through the real transitions on a real database; only the runners and the deployers
 * are played by the test.
 */
export async function createPlayedRollouts(
  own: TestDatabase,
  database: Database,
  applications: readonly PlayedApplication[],
) {
  for (const id of versions)
    await own.query(
      `INSERT INTO versions (id, git_tag, git_commit, repository, repository_key, created_by)
       VALUES ($1, $1, 'abc1234', 'r', 'r', 't') ON CONFLICT DO NOTHING`,
      [id],
    );
  await own.query(
    "INSERT INTO environments (id, name, type) VALUES ('env', 'env', 'physical') ON CONFLICT DO NOTHING",
  );
  for (const { id, targets } of applications) {
    await own.query(
      "INSERT INTO applications (id, name, repository, repository_key, type) VALUES ($1, $1, 'r', 'r', 't')",
      [id],
    );
    for (const target of targets)
      await own.query(
        `INSERT INTO targets (id, kind, place_key, place, environment_id, application_id, instance_id)
         VALUES ($1, 'physical', $1, '{}', 'env', $2, $1)`,
        [target, id],
      );
  }
  const application = (id: string): PlayedApplication => {
    const found = applications.find((each) => each.id === id);
    if (!found) throw new Error(`there is no application ${id}`);
    return found;
  };

  /** Looks at what was written, on the pool: a connection of its own would cost more than the look. */
  const ask = <R extends object>(sql: string, values: readonly unknown[] = []): Promise<R[]> =>
    database.transaction((tx) => tx.rows<R>(sql, values));

  /** Asks for a deployment: pending. */
  function create(applicationIds: readonly string[], versionId: string): Promise<DeploymentRow> {
    const wish = { versionId, applicationIds, environmentId: 'env', createdBy: 't' };
    return database.transaction((tx) => createDeployment(tx, wish));
  }

  /** Admits it, if its turn has come. */
  function start(id: string, autoRollback = true): Promise<boolean> {
    return database.transaction(async (tx) => {
      const admission = await admit(tx, id);
      if (admission.state !== 'admitted') return false;
      const begin = { snapshot: Buffer.from('x'), autoRollback };
      await startDeployment(tx, admission.deployment, begin);
      return true;
    });
  }

  /** Plans its tasks: a build where the application builds, and a deploy task. */
  function plan(
    id: string,
    applicationIds: readonly string[],
    rollout: PlayedRollout = {},
  ): Promise<void> {
    const planned = planTasks(
      applicationIds.map(application).map(({ id: name, builds = false, requires = [] }) => {
        return { id: name, name, builds, tests: false, requires };
      }),
      { reuses: false },
    );
    return database.transaction(async (tx) => {
      const workflow = await makeWorkflow(tx, id);
      const [deployment] = await tx.rows<DeploymentRow>('SELECT * FROM deployments WHERE id = ?', [
        id,
      ]);
      if (!deployment) throw new Error(`there is no deployment ${id}`);
      const tasks = planned.map((task): TaskToCreate => {
        const { targets } = application(task.applicationId);
        const plan = task.type === 'deploy' ? releasePlan(task.applicationId, targets) : null;
        const none = { payload: {}, inputs: '', known: null, refusal: null };
        return { ...task, ...none, timeoutSeconds: 300, plan };
      });
      await planWorkflow(tx, deployment, workflow.id, tasks);
      function releasePlan(service: string, targets: readonly string[]) {
        return {
          deployer: 'physical',
          service,
          versionId: deployment?.version_id ?? null,
          version: deployment?.version_id ?? '',
          environmentId: 'env',
          batchSize: rollout.batchSize ?? '1',
          bakeSeconds: rollout.bakeSeconds ?? 0,
          maxFailures: String(rollout.maxFailures ?? 0),
          approval: rollout.approval ?? false,
          secondPerson: false,
          runOnce: rollout.runOnce ?? false,
          timeoutSeconds: 300,
          retryCount: 3,
          instances: targets.map((target) => ({
            instanceId: target,
            targetId: target,
            contentReleaseId: null,
          })),
        };
      }
    });
  }

  /** The work of a deployment that could begin or end now. */
  async function inWork(id: string): Promise<Work[]> {
    const tasks = await ask<{ id: string; application_id: string }>(
      `SELECT id, application_id FROM tasks WHERE deployment_id = ? AND type <> 'deploy'
         AND scheduled_at IS NOT NULL AND status IN ('pending', 'running') ORDER BY id`,
      [id],
    );
    const rows = await ask<InstanceRow>(
      `SELECT * FROM release_instances WHERE deployment_id = ?
         AND (stopping OR looking OR status IN ('staging', 'switching')) ORDER BY id`,
      [id],
    );
    return [
      ...tasks.map((task): Work => {
        return { what: 'task', id: task.id, applicationId: task.application_id };
      }),
      ...rows.map((row): Work => {
        const what = row.stopping ? 'stop' : row.looking ? 'look' : 'instance';
        return { what, id: row.id, row };
      }),
    ];
  }

  /** A runner or a deployer begins one piece of work. */
  async function begin(id: string, work: Work): Promise<void> {
    await database.transaction(async (tx) => {
      const ids = { deploymentId: id, instanceId: work.id, taskId: work.id };
      if (work.what === 'task') await beginTask(tx, ids);
      else if (work.what === 'look') await beginLook(tx, ids);
      else if (work.what === 'instance') {
        await beginInstance(tx, ids, work.row.status as InstanceWork);
        await touch(tx, work.row);
      }
    });
  }

  /** A switch touches its target as soon as a step of it has begun. */
  async function touch(
    tx: { execute(sql: string, values: unknown[]): Promise<number> },
    { id, status }: InstanceRow,
  ): Promise<void> {
    if (status !== 'switching') return;
    await tx.execute("UPDATE release_instances SET touched = true, step = 'switch' WHERE id = ?", [
      id,
    ]);
  }

  /** Ends one piece of work as its fate says. */
  async function end(id: string, work: Work, fate: Fate, failingTasks = noTasks): Promise<void> {
    const decides = work.what === 'instance' || work.what === 'look' ? work.row : undefined;
    const doing = work.what === 'look' ? 'looking' : (decides?.status as InstanceWork);
    const failure = decides && (await fate(decides, doing));
    await begin(id, work);
    await database.transaction(async (tx) => {
      const ids = { deploymentId: id, instanceId: work.id };
      if (work.what === 'task') {
        const fails = failingTasks.has(work.applicationId);
        const kept = fails ? { error_message: 'is broken' } : {};
        const status = fails ? 'failed' : 'success';
        await taskScheduler(tx).updateTaskStatus(work.id, status, '{}', kept);
        return;
      }
      const { row } = work;
      const observed = row.touched ? ('new' as const) : ('other' as const);
      const releaseId = row.content_release_id;
      if (work.what === 'stop') return finishStop(tx, ids, { releaseId, observed });
      if (work.what === 'look') {
        const looked = { sickened: failure ?? '', observation: { releaseId, observed } };
        return finishLook(tx, ids, looked);
      }
      const succeeded = row.status === 'staging' ? ('staged' as const) : ('succeeded' as const);
      await finishInstance(tx, ids, {
        status: failure === undefined ? succeeded : 'failed',
        message: failure ?? '',
        observation: row.status === 'switching' ? { releaseId, observed: 'new' } : null,
      });
    });
  }

  /** Carries out what is handed to runners and deployers until nothing more is. */
  async function carryOut(id: string, fate: Fate = () => undefined): Promise<void> {
    for (;;) {
      const [work] = await inWork(id);
      if (!work) return;
      await end(id, work, fate);
    }
  }

  const advance = (id: string) => database.transaction((tx) => advanceDeployment(tx, id));
  const cancel = (id: string, rollback = true) =>
    database.transaction((tx) => cancelDeployment(tx, id, { rollback, actor: 't' }));
  const steer = (id: string, steering: Steering) =>
    database.transaction((tx) => steerDeployment(tx, id, steering, 't'));

  /** Lets so many days pass for a deployment: whatever is due by then is due now. */
  async function passDays(id: string, days: number): Promise<void> {
    for (const [table, columns] of Object.entries(clocks)) {
      const where = table === 'deployments' ? 'id' : 'deployment_id';
      const sets = columns.map((column) => `${column} = ${column} - interval '${days} days'`);
      await ask(`UPDATE ${table} SET ${sets.join(', ')} WHERE ${where} = ?`, [id]);
    }
  }

  async function stateOf(id: string) {
    const [row] = await ask<Record<string, unknown>>(
      `SELECT d.status, d.phase, d.settled_at IS NOT NULL AS settled, w.status AS workflow
       FROM deployments d LEFT JOIN workflows w ON w.deployment_id = d.id WHERE d.id = ?`,
      [id],
    );
    return row;
  }

  /** The forward tasks, as `application status`. */
  async function tasksOf(id: string): Promise<string[]> {
    const rows = await ask<{ application_id: string; status: string }>(
      `SELECT application_id, status FROM tasks
       WHERE deployment_id = ? AND undo_of IS NULL AND type = 'deploy' ORDER BY position`,
      [id],
    );
    return rows.map(({ application_id, status }) => `${application_id} ${status}`);
  }

  /** The deploy task of an application in a deployment. */
  async function taskOf(id: string, applicationId: string): Promise<string> {
    const [row] = await ask<{ id: string }>(
      `SELECT id FROM tasks WHERE deployment_id = ? AND application_id = $2 AND undo_of IS NULL
         AND type = 'deploy'`,
      [id, applicationId],
    );
    if (!row) throw new Error(`${applicationId} has no task in ${id}`);
    return row.id;
  }

  /** The instances of all releases of a deployment, forward ones first. */
  function instancesOf(id: string): Promise<(InstanceRow & { undo: boolean })[]> {
    return ask(
      `SELECT i.*, r.undo FROM release_instances i JOIN releases r ON r.id = i.release_id
       WHERE i.deployment_id = ? ORDER BY r.undo, i.target_id, r.id`,
      [id],
    );
  }

  async function treeOf(id: string): Promise<DeploymentTree> {
    const locked = await database.transaction((tx) => lockTree(tx, id));
    if (!locked) throw new Error(`there is no deployment ${id}`);
    return locked.tree;
  }

  return {
    ...{ create, start, plan, inWork, begin, end, carryOut, advance, cancel, steer, passDays },
    ...{ stateOf, tasksOf, taskOf, instancesOf, treeOf },
  };
}

const noTasks: ReadonlySet<string> = new Set();

/** The columns that the fold compares with the present. */
const clocks = {
  deployments: ['deadline_at'],
  tasks: ['deadline_at'],
  releases: ['bake_until', 'advanced_at'],
  release_instances: ['deadline_at'],
};
