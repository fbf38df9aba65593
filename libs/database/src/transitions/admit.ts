import type { DeploymentRow } from '../rows.js';
import { changesOf, rowOf, rowsOf, type Statement } from '../statement.js';
import type { Transaction } from '../transaction.js';
import { makingWorkflow } from './plan-workflow.js';
import { settingStatus } from './set-status.js';

export type Admission =
  | { state: 'admitted'; deployment: DeploymentRow; applicationIds: string[] }
  /** It stays pending behind another one. */
  | { state: 'waits' }
  /** It is not pending, or not any more. */
  | { state: 'gone' };

interface Queued {
  id: string;
  applications: string[];
}

/**
 * Admits a pending deployment if it shares no application with an earlier one that has not settled,
 * and takes its slots. Rollbacks stand before others; else the order of queueing holds.
 *
 * The environment's row is the lock under which the queue is looked at. A deployment that settles
 * frees its slots without that lock, so a slot can only go away meanwhile, never appear.
 */
export async function admit(tx: Transaction, deploymentId: string): Promise<Admission> {
  // Those that read begin when those that lock have their locks, and see what is committed then.
  const [locked, deployment, earlier, applications] = await tx.together(
    changesOf(
      `SELECT 1 FROM environments WHERE id =
         (SELECT environment_id FROM deployments WHERE id = ? AND status = 'pending') FOR NO KEY UPDATE`,
      [deploymentId],
    ),
    rowOf<DeploymentRow>(
      "SELECT * FROM deployments WHERE id = ? AND status = 'pending' FOR NO KEY UPDATE",
      [deploymentId],
    ),
    earlierThan(deploymentId),
    rowsOf<{ application_id: string }>(
      'SELECT application_id FROM deployment_applications WHERE deployment_id = ? ORDER BY position',
      [deploymentId],
    ),
  );
  if (locked !== 1 || !deployment) return { state: 'gone' };
  const own = applications.map(({ application_id }) => application_id);
  // It waits behind the last of them: when that settles, this one alone is woken, not the whole queue.
  const before = earlier.findLast(({ applications }) =>
    applications.some((id) => own.includes(id)),
  );
  if (before) {
    await tx.execute('UPDATE deployments SET waiting_for = ? WHERE id = ? AND waiting_for <> ?', [
      before.id,
      deployment.id,
      before.id,
    ]);
    return { state: 'waits' };
  }
  await tx.execute(
    'INSERT INTO slots (application_id, environment_id, deployment_id) SELECT unnest(?::text[]), ?, ?',
    [own, deployment.environment_id, deployment.id],
  );
  return { state: 'admitted', deployment, applicationIds: own };
}

/** The origins that stand before others in the queue of an environment. */
const first = "('rollback', 'instance-rollback')";

/** The deployments to the same environment that have not settled and stand before this one. */
function earlierThan(deploymentId: string): Statement<Queued[]> {
  return rowsOf<Queued>(
    `SELECT d.id, array_agg(a.application_id) AS applications
     FROM deployments me JOIN deployments d ON d.environment_id = me.environment_id
     JOIN deployment_applications a ON a.deployment_id = d.id
     WHERE me.id = ? AND d.settled_at IS NULL AND d.id <> me.id
       AND (d.phase <> 'queued' OR
            (d.origin NOT IN ${first}, d.queued_at, d.id) < (me.origin NOT IN ${first}, me.queued_at, me.id))
     GROUP BY d.id ORDER BY d.phase = 'queued', d.origin NOT IN ${first}, d.queued_at, d.id`,
    [deploymentId],
  );
}

/**
 * Whether more than one `start-deployment` waits for this deployment: of those that woke it in vain
 * one is enough.
 */
export async function isWokenTwice(tx: Transaction, deploymentId: string): Promise<boolean> {
  const another = await tx.row(
    `SELECT 1 FROM messages WHERE kind = 'start-deployment' AND subject = ? AND done_at IS NULL
     OFFSET 1 LIMIT 1`,
    [deploymentId],
  );
  return another !== undefined;
}

/**
 * The pending deployments that wait behind this one, in the order of their queue. The lock of the
 * environment comes first: whoever looked at the queue before has written by then whom it waits for.
 */
export async function waitingBehind(tx: Transaction, deploymentId: string): Promise<string[]> {
  const [, waiting] = await tx.together(
    changesOf(
      `SELECT 1 FROM environments WHERE id = (SELECT environment_id FROM deployments WHERE id = ?)
       FOR NO KEY UPDATE`,
      [deploymentId],
    ),
    rowsOf<{ id: string }>(
      "SELECT id FROM deployments WHERE waiting_for = ? AND status = 'pending' ORDER BY queued_at",
      [deploymentId],
    ),
  );
  return waiting.map(({ id }) => id);
}

/** Until then a running deployment has to be planned. Minutes. */
const planMinutes = 60;

/** An admitted deployment begins, with the sealed snapshot of all it was asked to do. */
export async function startDeployment(
  tx: Transaction,
  deployment: DeploymentRow,
  start: { snapshot: Buffer; autoRollback: boolean },
): Promise<void> {
  const until = tx.build.raw('now() + make_interval(mins => ?)', [planMinutes]);
  const [, , row] = await tx.together(
    settingStatus(tx, 'deployment', deployment.id, 'running', {
      phase: 'forward',
      started_at: tx.build.fn.now(),
      snapshot: start.snapshot,
      auto_rollback: start.autoRollback,
      waiting_for: '',
      deadline_at: until,
    }),
    makingWorkflow(deployment.id),
    rowOf<{ deadline_at: Date }>('SELECT deadline_at FROM deployments WHERE id = ?', [
      deployment.id,
    ]),
  );
  tx.event({ stream: deployment.id, type: 'deployment.running', subject: deployment.id });
  tx.send('start-workflow', { deployment_id: deployment.id });
  if (row) tx.send('advance-deployment', { deployment_id: deployment.id }, row.deadline_at);
}
