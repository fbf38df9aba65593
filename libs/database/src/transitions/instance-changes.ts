import { deployerOf } from '@floy/contracts';
import { revokeLeases } from '../leases.js';
import type { DeploymentRow, InstanceRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import type { ChangeOf } from './change-of.js';
import { settingStatusOfAll } from './set-status.js';

/** After this a target that could not be stopped is left as unknown. Seconds. */
const stopSeconds = 60;

/** Ends an instance; false where it had ended already. */
export async function endInstance(
  tx: Transaction,
  deployment: DeploymentRow,
  { instanceId, status, message }: ChangeOf<'end-instance'>,
): Promise<boolean> {
  // What it was at says more than that its time was over.
  const named = tx.build.raw(
    `CASE WHEN step = '' THEN ? ELSE instance_id || ', step ' || step || ': ' || ? END`,
    [message, message],
  );
  const failed =
    status === 'failed' ? { error_message: named, failed_step: tx.build.ref('step') } : {};
  const columns = { error_message: message, deadline_at: null, ...failed };
  const answer = ['instance_id', 'error_message'] as const;
  const [[ended]] = await tx.together(
    settingStatusOfAll(tx, 'instance', [instanceId], status, columns, answer),
  );
  if (!ended) return false;
  const data = { instance_id: ended.instance_id, message: ended.error_message };
  tx.event({ stream: deployment.id, type: `instance.${status}`, subject: instanceId, data });
  return true;
}

/** Revokes the right to act on the target and has whatever still runs there ended. */
export async function stopInstance(
  tx: Transaction,
  deployment: DeploymentRow,
  instanceId: string,
): Promise<void> {
  const instance = await tx.row<InstanceRow & { deployer: string }>(
    `UPDATE release_instances i
     SET stopping = true, deadline_at = clock_timestamp() + interval '${stopSeconds} seconds', updated_at = now()
     FROM releases r WHERE i.id = ? AND r.id = i.release_id RETURNING i.*, r.deployer`,
    [instanceId],
  );
  if (!instance) return;
  await revokeLeases(tx, [instance.target_id]);
  tx.send(deployerOf(tx.deployers, instance.deployer).messages.stop, {
    instance_id: instanceId,
    target_id: instance.target_id,
    deployment_id: deployment.id,
  });
  if (instance.deadline_at)
    tx.send('advance-deployment', { deployment_id: deployment.id }, instance.deadline_at);
}

export async function giveUpStop(
  tx: Transaction,
  deployment: DeploymentRow,
  instanceId: string,
): Promise<void> {
  const instance = await tx.row<{ instance_id: string; step: string }>(
    `UPDATE release_instances SET stopping = false, deadline_at = NULL, updated_at = now()
     WHERE id = ? AND stopping RETURNING instance_id, step`,
    [instanceId],
  );
  // Where none ever began, no step can live on.
  if (!instance?.step) return;
  const of = { stream: deployment.id, subject: instanceId };
  const data = { instance_id: instance.instance_id };
  tx.event({ ...of, type: 'instance.stop_failed', data });
}

export async function setVerdict(
  tx: Transaction,
  deployment: DeploymentRow,
  { instanceId, verdict }: ChangeOf<'set-verdict'>,
): Promise<void> {
  const instance = await tx.row<{ instance_id: string }>(
    'UPDATE release_instances SET verdict = ?, updated_at = now() WHERE id = ? RETURNING instance_id',
    [verdict, instanceId],
  );
  if (!instance) return;
  const of = { stream: deployment.id, subject: instanceId };
  tx.event({ ...of, type: 'instance.settled', data: { ...instance, verdict } });
}
