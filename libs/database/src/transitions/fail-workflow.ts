import type { DeploymentRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { endUnplanned } from './end-unplanned.js';

/** Ends a running deployment that could not be planned. Does nothing to one that was. */
export async function failWorkflow(
  tx: Transaction,
  deployment: DeploymentRow,
  message: string,
): Promise<void> {
  const unplanned = await tx.row(
    "SELECT 1 FROM workflows WHERE deployment_id = ? AND status = 'pending'",
    [deployment.id],
  );
  if (!unplanned || deployment.status !== 'running') return;
  await endUnplanned(tx, deployment, message);
}
