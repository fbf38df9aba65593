import type { Change } from '@floy/domain';
import { revokeLeases } from '../leases.js';
import type { DeploymentRow, InstanceRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { setStatusOfAll } from './set-status.js';

/** After this a target that could not be stopped is left as unknown. Seconds. */
const stopSeconds = 60;

type ChangeOf<D extends Change['do']> = Extract<Change, { do: D }>;

/** Ends an instance; false where it had ended already. */
export async function endInstance(
  tx: Transaction,
  deployment: DeploymentRow,
  { instanceId, status, message }: ChangeOf<'end-instance'>,
): Promise<boolean> {
  const columns = { error_message: message, deadline_at: null };
  const answer = ['instance_id'] as const;
  const [ended] = await setStatusOfAll(tx, 'instance', [instanceId], status, columns, answer);
  if (!ended) return false;
  tx.event({
    stream: deployment.id,
    type: `instance.${status}`,
    subject: instanceId,
    data: { instance_id: ended.instance_id, message },
  });
  return true;
}

/** Revokes the right to act on the target and has whatever still runs there ended. */
export async function stopInstance(
  tx: Transaction,
  deployment: DeploymentRow,
  instanceId: string,
): Promise<void> {
  const instance = await tx.row<InstanceRow>(
    `UPDATE release_instances
     SET stopping = true, deadline_at = clock_timestamp() + interval '${stopSeconds} seconds', updated_at = now()
     WHERE id = ? RETURNING *`,
    [instanceId],
  );
  if (!instance) return;
  await revokeLeases(tx, [instance.target_id]);
  const ids = {
    instance_id: instanceId,
    target_id: instance.target_id,
    deployment_id: deployment.id,
  };
  tx.send('stop-target', ids);
  if (instance.deadline_at)
    tx.send('advance-deployment', { deployment_id: deployment.id }, instance.deadline_at);
}

export async function giveUpStop(
  tx: Transaction,
  deployment: DeploymentRow,
  instanceId: string,
): Promise<void> {
  const instance = await tx.row<{ instance_id: string }>(
    `UPDATE release_instances SET stopping = false, deadline_at = NULL, updated_at = now()
     WHERE id = ? AND stopping RETURNING instance_id`,
    [instanceId],
  );
  if (!instance) return;
  tx.event({
    stream: deployment.id,
    type: 'instance.stop_failed',
    subject: instanceId,
    data: instance,
  });
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
  tx.event({
    stream: deployment.id,
    type: 'instance.settled',
    subject: instanceId,
    data: { ...instance, verdict },
  });
}
