import type { WorkflowStatus } from '@floy/domain';
import type { DeploymentRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { endDeployment, settle } from './deployment-changes.js';
import { endingTask } from './end-task.js';

/**
 * Ends a deployment that never got to the plan of its round: cancelled or refused in the queue, or
 * not to be planned. Nothing was begun, so no target is stopped or returned. Tasks that a retry had
 * reopened end as not run, and can be retried again. Its row has to be locked by the caller.
 */
export async function endUnplanned(
  tx: Transaction,
  deployment: DeploymentRow,
  message: string,
  workflowEnd?: WorkflowStatus,
): Promise<void> {
  const reopened = await tx.rows<{ id: string }>(
    "SELECT id FROM tasks WHERE deployment_id = ? AND status = 'pending' ORDER BY position",
    [deployment.id],
  );
  await tx.together(
    ...reopened.map(({ id: taskId }) => {
      const end = {
        taskId,
        status: 'failed',
        message: `Not run: ${message}`,
        notRun: true,
      } as const;
      return endingTask(tx, deployment, end);
    }),
  );
  const end = { do: 'end-deployment', status: 'failed', message } as const;
  await endDeployment(tx, deployment, end, workflowEnd);
  await settle(tx, deployment);
}
