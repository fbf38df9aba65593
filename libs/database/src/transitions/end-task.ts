import type { DeploymentRow } from '../rows.js';
import { reading, type Statement } from '../statement.js';
import type { Transaction } from '../transaction.js';
import type { ChangeOf } from './change-of.js';
import { settingStatus } from './set-status.js';

/** Ends a task, as a statement that may travel with others; where it does, its event follows. */
export function endingTask(
  tx: Transaction,
  deployment: DeploymentRow,
  { taskId, status, message, notRun }: Omit<ChangeOf<'end-task'>, 'do'>,
  columns: Record<string, unknown> = {},
): Statement<boolean> {
  const failed = status === 'failed';
  const setting = settingStatus(tx, 'task', taskId, status, {
    result: failed ? failedResult(message, notRun) : JSON.stringify({ message }),
    error_message: failed ? message : '',
    not_run: notRun,
    deadline_at: null,
    ...columns,
  });
  return reading(setting, (changed) => {
    if (!changed) return false;
    const of = { stream: deployment.id, subject: taskId };
    if (failed) {
      const data = { code: 'TASK_FAILED', message, not_run: notRun } as const;
      tx.event({ ...of, type: 'task.failed', data });
    } else tx.event({ ...of, type: 'task.success', data: {} });
    return true;
  });
}

/** Ends one task, alone. */
export async function endTask(
  tx: Transaction,
  deployment: DeploymentRow,
  end: Omit<ChangeOf<'end-task'>, 'do'>,
): Promise<void> {
  await tx.together(endingTask(tx, deployment, end));
}

/** The `result` of a failed task: a string that holds JSON, like the seeds'. */
export function failedResult(message: string, notRun: boolean): string {
  return JSON.stringify({ code: 'TASK_FAILED', message, ...(notRun ? { not_run: true } : {}) });
}
