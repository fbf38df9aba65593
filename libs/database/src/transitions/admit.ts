import type { DeploymentRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { makeWorkflow } from './plan-workflow.js';
import { setStatus } from './set-status.js';

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
  // One trip: what reads begins when what locks before it has its lock, and sees what is committed.
  const [locked, deployment, earlier, own] = await Promise.all([
    tx.execute(
      `SELECT 1 FROM environments WHERE id =
         (SELECT environment_id FROM deployments WHERE id = ? AND status = 'pending') FOR NO KEY UPDATE`,
      [deploymentId],
    ),
    tx.row<DeploymentRow>(
      "SELECT * FROM deployments WHERE id = ? AND status = 'pending' FOR NO KEY UPDATE",
      [deploymentId],
    ),
    earlierThan(tx, deploymentId),
    applicationsOf(tx, deploymentId),
  ]);
  if (locked !== 1 || !deployment) return { state: 'gone' };
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

/** The deployments to the same environment that have not settled and stand before this one. */
function earlierThan(tx: Transaction, deploymentId: string): Promise<Queued[]> {
  return tx.rows<Queued>(
    `SELECT d.id, array_agg(a.application_id) AS applications
     FROM deployments me JOIN deployments d ON d.environment_id = me.environment_id
     JOIN deployment_applications a ON a.deployment_id = d.id
     WHERE me.id = ? AND d.settled_at IS NULL AND d.id <> me.id
       AND (d.phase <> 'queued' OR
            (d.kind <> 'rollback', d.queued_at, d.id) < (me.kind <> 'rollback', me.queued_at, me.id))
     GROUP BY d.id ORDER BY d.phase = 'queued', d.kind <> 'rollback', d.queued_at, d.id`,
    [deploymentId],
  );
}

async function applicationsOf(tx: Transaction, deploymentId: string): Promise<string[]> {
  const rows = await tx.rows<{ application_id: string }>(
    'SELECT application_id FROM deployment_applications WHERE deployment_id = ? ORDER BY position',
    [deploymentId],
  );
  return rows.map(({ application_id }) => application_id);
}

/** An admitted deployment begins, with the sealed snapshot of all it was asked to do. */
export async function startDeployment(
  tx: Transaction,
  deployment: DeploymentRow,
  start: { snapshot: Buffer; autoRollback: boolean },
): Promise<void> {
  await Promise.all([
    setStatus(tx, 'deployment', deployment.id, 'running', {
      phase: 'forward',
      started_at: tx.build.fn.now(),
      snapshot: start.snapshot,
      auto_rollback: start.autoRollback,
      waiting_for: '',
      deadline_at: null,
    }),
    makeWorkflow(tx, deployment.id),
  ]);
  tx.event({ stream: deployment.id, type: 'deployment.running', subject: deployment.id });
  tx.send('start-workflow', { deployment_id: deployment.id });
}
