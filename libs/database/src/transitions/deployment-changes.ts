import type { DeploymentTree, Phase, WorkflowStatus } from '@floy/domain';
import { newId } from '../ids.js';
import type { DeploymentRow, InstanceRow, ReleasePlan, TaskRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { builtChangesOf, changesOf, rowOf, rowsOf } from '../statement.js';
import type { ChangeOf } from './change-of.js';
import { setStatus, settingStatus } from './set-status.js';
import { endingVainClaims } from './targets.js';

/** How long a rollout may wait for a person (pause, approval). Days. */
const waitForPersonDays = 7;

/** Only what goes forward can be paused or wait for somebody, so either ends with that phase. */
export async function setPhase(
  tx: Transaction,
  deployment: DeploymentRow,
  phase: Phase,
): Promise<void> {
  await tx.execute(
    `UPDATE deployments SET phase = ?, paused_at = NULL, waiting_for = '', deadline_at = NULL, updated_at = now()
     WHERE id = ?`,
    [phase, deployment.id],
  );
  if (phase === 'undoing')
    tx.event({ stream: deployment.id, type: 'deployment.undoing', subject: deployment.id });
}

export async function setWaiting(
  tx: Transaction,
  deployment: DeploymentRow,
  { waitingFor, bounded }: ChangeOf<'set-waiting'>,
): Promise<void> {
  const until = bounded
    ? new Date((await tx.now()).getTime() + waitForPersonDays * 86_400_000)
    : null;
  await tx.execute(
    'UPDATE deployments SET waiting_for = ?, deadline_at = ?, updated_at = now() WHERE id = ?',
    [waitingFor, until, deployment.id],
  );
  if (until) tx.send('advance-deployment', { deployment_id: deployment.id }, until);
  if (waitingFor) {
    tx.event({
      stream: deployment.id,
      type: 'deployment.waiting',
      subject: deployment.id,
      data: { for: waitingFor },
    });
  }
}

const workflowEnds = { success: 'success', failed: 'failed', rolled_back: 'failed' } as const;

/**
 * The end. A success makes what was released the last good version of its targets, in the same
 * transaction: from now on this is what an undo or a rollback returns to.
 */
export async function endDeployment(
  tx: Transaction,
  deployment: DeploymentRow,
  { status, message }: ChangeOf<'end-deployment'>,
  workflowEnd: WorkflowStatus = workflowEnds[status],
): Promise<void> {
  const [changed, workflow] = await tx.together(
    settingStatus(tx, 'deployment', deployment.id, status, {
      error_message: message,
      waiting_for: '',
      deadline_at: null,
    }),
    rowOf<{ id: string }>('SELECT id FROM workflows WHERE deployment_id = ?', [deployment.id]),
  );
  if (!changed) return;
  if (workflow) await setStatus(tx, 'workflow', workflow.id, workflowEnd);
  if (status === 'success') await rememberLastGood(tx, deployment);
  if (status === 'success' && deployment.rollback_of) {
    await markRolledBack(tx, deployment.rollback_of, deployment.id);
  }
  const of = { stream: deployment.id, subject: deployment.id };
  if (status === 'success') tx.event({ ...of, type: 'deployment.success' });
  else {
    const data = { code: 'DEPLOYMENT_FAILED', message } as const;
    tx.event({ ...of, type: `deployment.${status}`, data });
  }
}

/** A success that was rolled back says so; anything else ended as what it is. */
async function markRolledBack(tx: Transaction, id: string, by: string): Promise<void> {
  const changed = await setStatus(tx, 'deployment', id, 'rolled_back', {
    completed_at: tx.build.ref('completed_at'),
  });
  if (changed) tx.event({ stream: id, type: 'deployment.rolled_back', subject: id, data: { by } });
}

async function rememberLastGood(tx: Transaction, deployment: DeploymentRow): Promise<void> {
  const live = `FROM release_instances i JOIN releases r ON r.id = i.release_id
    WHERE i.deployment_id = ? AND r.round = ? AND NOT r.undo
      AND i.status = 'succeeded' AND i.sickened_at IS NULL`;
  const of = [deployment.id, deployment.round];
  await tx.together(
    changesOf(
      `INSERT INTO healthy_releases (target_id, release_id) SELECT i.target_id, i.content_release_id ${live}
       ON CONFLICT (target_id, release_id) DO UPDATE SET healthy_at = clock_timestamp()`,
      of,
    ),
    changesOf(
      `UPDATE targets t SET last_good_release_id = live.content_release_id
       FROM (SELECT i.target_id, i.content_release_id ${live} ORDER BY i.target_id) live WHERE t.id = live.target_id`,
      of,
    ),
  );
}

/**
 * Every target has a verdict: the slot is free and whoever waits behind it is woken. A note is added
 * to the message.
 */
export async function settle(tx: Transaction, deployment: DeploymentRow, note = ''): Promise<void> {
  await tx.together(
    changesOf(
      `UPDATE deployments SET settled_at = clock_timestamp(), phase = 'done', paused_at = NULL,
         error_message = error_message || ?, updated_at = clock_timestamp() WHERE id = ?`,
      [note === '' ? '' : `; ${note}`, deployment.id],
    ),
    endingVainClaims(deployment.id),
    changesOf('DELETE FROM slots WHERE deployment_id = ?', [deployment.id]),
  );
  tx.event({ stream: deployment.id, type: 'deployment.settled', subject: deployment.id });
  tx.send('deployment-ended', { deployment_id: deployment.id });
}

/** Makes the deploy tasks that bring touched targets back to what was last good there. */
export async function planUndo(
  tx: Transaction,
  deployment: DeploymentRow,
  tree: DeploymentTree,
  { undoes }: ChangeOf<'plan-undo'>,
): Promise<void> {
  const ids = new Map(undoes.map(({ taskId }) => [taskId, newId('task')]));
  let position = tree.tasks.length * deployment.round + 1;
  for (const { taskId, after, instanceIds, batches } of undoes) {
    const [forward, instances] = await tx.together(
      rowOf<TaskRow>('SELECT * FROM tasks WHERE id = ?', [taskId]),
      rowsOf<InstanceRow>(
        `SELECT i.* FROM unnest(?::text[]) WITH ORDINALITY AS o(id, position)
         JOIN release_instances i USING (id) ORDER BY o.position`,
        [instanceIds],
      ),
    );
    const id = ids.get(taskId);
    if (!forward?.plan || !id) throw new Error(`task ${taskId} cannot be undone: it has no plan`);
    const plan: ReleasePlan = {
      ...forward.plan,
      batchSize: batches.join(','),
      bakeSeconds: 0,
      approval: false,
      secondPerson: false,
      runOnce: false,
      instances: instances.map((instance) => ({
        instanceId: instance.instance_id,
        targetId: instance.target_id,
        // Without anything to return to, it is brought to its end on what was put there.
        contentReleaseId: instance.from_release_id ?? instance.content_release_id,
      })),
    };
    const undo = tx.build('tasks').insert({
      id,
      deployment_id: deployment.id,
      workflow_id: forward.workflow_id,
      application_id: forward.application_id,
      type: 'deploy',
      depends_on: after.flatMap((task) => ids.get(task) ?? []),
      undo_of: taskId,
      round: deployment.round,
      plan: JSON.stringify(plan),
      payload: JSON.stringify({
        undo_of: taskId,
        instances: instances.map(({ instance_id }) => instance_id),
      }),
      position: position++,
    });
    await tx.together(builtChangesOf(undo));
    tx.event({
      stream: deployment.id,
      type: 'task.created',
      subject: id,
      data: { type: 'deploy', undo_of: taskId },
    });
  }
}
