import type { TestDatabase } from '@floy/testing/database';
import type { Database } from '../database.js';
import type { DeploymentRow, InstanceRow } from '../rows.js';
import { admit, startDeployment } from './admit.js';
import { createDeployment } from './create-deployment.js';
import { beginInstance, finishInstance, type InstanceWork } from './instance-work.js';
import { lockDeployment } from './load-tree.js';
import { planWorkflow, type TaskToCreate } from './plan-workflow.js';

/** The ids of a played installation: two versions, and applications with two hosts each. */
export const versions = ['ver_1', 'ver_2'] as const;

/** Decides an instance's fate: the reason why it fails, or undefined. */
export type Fate = (instance: InstanceRow, work: InstanceWork) => string | undefined;

/**
 * Deployments through the real transitions on a real database; only the planner and the hosts are
 * played by the test.
 */
export async function createPlayedRollouts(
  own: TestDatabase,
  database: Database,
  applications: readonly string[],
) {
  for (const id of versions)
    await own.query(
      `INSERT INTO versions (id, git_tag, git_commit, repository, repository_key, created_by)
       VALUES ($1, $1, 'abc1234', 'r', 'r', 't')`,
      [id],
    );
  await own.query("INSERT INTO environments (id, name, type) VALUES ('env', 'env', 'physical')");
  for (const id of applications) {
    await own.query(
      "INSERT INTO applications (id, name, repository, repository_key, type) VALUES ($1, $1, 'r', 'r', 't')",
      [id],
    );
    for (const host of ['h1', 'h2'])
      await own.query(
        `INSERT INTO targets (id, host, port, deploy_path, environment_id, application_id, instance_id)
         VALUES ($1, $2, 22, $3, 'env', $3, $1)`,
        [`${id}-${host}`, host, id],
      );
  }

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

  /** Plans a deploy task per application, without builds. */
  function plan(id: string, applicationIds: readonly string[]): Promise<void> {
    return database.transaction(async (tx) => {
      const deployment = await lockDeployment(tx, id);
      if (!deployment) throw new Error(`there is no deployment ${id}`);
      await planWorkflow(
        tx,
        deployment,
        applicationIds.map((name) => deployTask(name, deployment.version_id)),
      );
    });
  }

  /** Carries out what is handed to the deployers until nothing more is. */
  async function carryOut(id: string, fate: Fate = () => undefined): Promise<void> {
    for (;;) {
      const [instance] = await own.query<InstanceRow & { status: InstanceWork }>(
        `SELECT * FROM release_instances
         WHERE deployment_id = $1 AND status IN ('staging', 'switching') ORDER BY id LIMIT 1`,
        [id],
      );
      if (!instance) return;
      await carryOutOne(instance, instance.status, fate(instance, instance.status));
    }
  }

  async function carryOutOne(
    instance: InstanceRow,
    work: InstanceWork,
    failure?: string,
  ): Promise<void> {
    const ids = { deploymentId: instance.deployment_id, instanceId: instance.id };
    await database.transaction((tx) => beginInstance(tx, ids, work));
    if (work === 'switching')
      await own.query('UPDATE release_instances SET touched = true WHERE id = $1', [instance.id]);
    const currentDir = `v1-${instance.content_release_id}`;
    await database.transaction((tx) =>
      finishInstance(tx, ids, {
        status: failure === undefined ? (work === 'staging' ? 'staged' : 'succeeded') : 'failed',
        message: failure ?? '',
        observation: work === 'switching' ? { currentDir, observed: 'new' } : null,
      }),
    );
  }

  async function stateOf(id: string) {
    const [row] = await own.query<Record<string, unknown>>(
      `SELECT d.status, d.phase, d.settled_at IS NOT NULL AS settled, w.status AS workflow
       FROM deployments d LEFT JOIN workflows w ON w.deployment_id = d.id WHERE d.id = $1`,
      [id],
    );
    return row;
  }

  /** The forward tasks, as `application status`. */
  async function tasksOf(id: string): Promise<string[]> {
    const rows = await own.query<{ application_id: string; status: string }>(
      'SELECT application_id, status FROM tasks WHERE deployment_id = $1 AND undo_of IS NULL ORDER BY position',
      [id],
    );
    return rows.map(({ application_id, status }) => `${application_id} ${status}`);
  }

  /** The task of an application in a deployment. */
  async function taskOf(id: string, applicationId: string): Promise<string> {
    const [row] = await own.query<{ id: string }>(
      'SELECT id FROM tasks WHERE deployment_id = $1 AND application_id = $2 AND undo_of IS NULL',
      [id, applicationId],
    );
    if (!row) throw new Error(`${applicationId} has no task in ${id}`);
    return row.id;
  }

  return { create, start, plan, carryOut, stateOf, tasksOf, taskOf };
}

function deployTask(applicationId: string, versionId: string): TaskToCreate {
  return {
    key: `${applicationId} deploy`,
    applicationId,
    type: 'deploy',
    dependsOn: [],
    payload: {},
    timeoutSeconds: 300,
    known: null,
    refusal: null,
    plan: {
      service: applicationId,
      versionId,
      environmentId: 'env',
      batchSize: '1',
      bakeSeconds: 0,
      maxFailures: '0',
      approval: false,
      timeoutSeconds: 300,
      retryCount: 3,
      instances: ['h1', 'h2'].map((host) => ({
        instanceId: `${applicationId}-${host}`,
        targetId: `${applicationId}-${host}`,
        contentReleaseId: null,
      })),
    },
  };
}
