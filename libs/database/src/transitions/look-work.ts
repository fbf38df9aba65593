import { changesOf, rowOf } from '../statement.js';
import type { Transaction } from '../transaction.js';
import { advanceDeployment } from './advance.js';
import { recordingObservation, type InstanceWorkIds, type Observation } from './instance-work.js';
import { lockDeployment, lockingDeployment } from './load-tree.js';
import { setLooked } from './look-changes.js';

/** A deployer begins (or takes over) the look at an instance. False where none is wanted any more. */
export async function beginLook(tx: Transaction, ids: InstanceWorkIds): Promise<boolean> {
  const [deployment, instance] = await tx.together(
    lockingDeployment(ids.deploymentId),
    rowOf<{ deadline_at: Date }>(
      `UPDATE release_instances i SET started_at = coalesce(i.started_at, now()), deadline_at =
         CASE WHEN i.started_at IS NULL THEN now() + make_interval(secs => r.timeout_seconds)
              ELSE i.deadline_at END
       FROM releases r WHERE i.id = ? AND r.id = i.release_id AND i.looking RETURNING i.deadline_at`,
      [ids.instanceId],
    ),
  );
  if (!deployment || !instance) return false;
  tx.send('advance-deployment', { deployment_id: deployment.id }, instance.deadline_at);
  return true;
}

/** What a look has shown. */
export interface Looked {
  /** Why the instance is not healthy, or cannot be said to be; empty where it is. */
  readonly sickened: string;
  readonly observation: Observation | null;
}

/** The look at an instance has ended; the fold decides what follows. */
export async function finishLook(
  tx: Transaction,
  ids: InstanceWorkIds,
  { sickened, observation }: Looked,
): Promise<void> {
  const deployment = await lockDeployment(tx, ids.deploymentId);
  if (!deployment) return;
  const reason = sickened === '' ? null : sickened;
  const instance = await setLooked(tx, deployment, ids.instanceId, reason);
  if (!instance) return;
  await advanceDeployment(tx, deployment.id, [
    changesOf('UPDATE releases SET advanced_at = now(), updated_at = now() WHERE id = ?', [
      instance.release_id,
    ]),
    changesOf('UPDATE release_instances SET observed = ? WHERE id = ?', [
      observation?.observed ?? null,
      instance.id,
    ]),
    ...recordingObservation(instance, observation),
  ]);
}
