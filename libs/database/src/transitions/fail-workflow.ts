import type { DeploymentRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { refuseDeployment } from './admit.js';

/** Ends a running deployment that could not be planned. Nothing of it has begun. */
export async function failWorkflow(
  tx: Transaction,
  deployment: DeploymentRow,
  message: string,
): Promise<void> {
  const planned = await tx.row(
    'SELECT 1 FROM tasks WHERE deployment_id = ? AND scheduled_at IS NOT NULL',
    [deployment.id],
  );
  if (planned || deployment.status !== 'running') return;
  await refuseDeployment(tx, deployment, message);
}
