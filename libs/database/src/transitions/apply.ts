import type { TaskScheduler } from '@floy/contracts';
import type { Change, DeploymentTree } from '@floy/domain';
import { revokeLeases } from '../leases.js';
import type { DeploymentRow } from '../rows.js';
import type { Transaction } from '../transaction.js';
import { endDeployment, planUndo, setPhase, setWaiting, settle } from './deployment-changes.js';
import {
  bakeRelease,
  endRelease,
  holdRelease,
  stageInstances,
  switchInstances,
} from './release-changes.js';
import { endLook, lookAtInstances } from './look-changes.js';
import { endInstance, giveUpStop, setVerdict, stopInstance } from './instance-changes.js';
import { endUnplanned } from './end-unplanned.js';
import { endTask } from './end-task.js';

/** Carries out what the fold decided, in order. The deployment's row is locked. */
export async function applyChanges(
  tx: Transaction,
  deployment: DeploymentRow,
  tree: DeploymentTree,
  changes: readonly Change[],
  scheduler: Pick<TaskScheduler, 'scheduleTask'>,
): Promise<void> {
  for (const change of changes) await applyChange(tx, deployment, tree, change, scheduler);
}

async function applyChange(
  tx: Transaction,
  deployment: DeploymentRow,
  tree: DeploymentTree,
  change: Change,
  scheduler: Pick<TaskScheduler, 'scheduleTask'>,
): Promise<void> {
  switch (change.do) {
    case 'schedule-task':
      return scheduler.scheduleTask({ id: change.taskId });
    case 'end-task':
      return endTask(tx, deployment, change);
    case 'stop-task':
      return revokeLeases(tx, [change.taskId]);
    case 'stage':
      return stageInstances(tx, deployment, change);
    case 'switch':
      return switchInstances(tx, deployment, change);
    case 'bake':
      return bakeRelease(tx, deployment, change);
    case 'hold':
      return holdRelease(tx, deployment, change);
    case 'look':
      return lookAtInstances(tx, deployment, change);
    case 'end-look':
      return endLook(tx, deployment, change);
    case 'end-instance':
      return void (await endInstance(tx, deployment, change));
    case 'stop-instance':
      return stopInstance(tx, deployment, change.instanceId);
    case 'give-up-stop':
      return giveUpStop(tx, deployment, change.instanceId);
    case 'set-verdict':
      return setVerdict(tx, deployment, change);
    case 'end-release':
      return endRelease(tx, deployment, change);
    case 'set-phase':
      return setPhase(tx, deployment, change.phase);
    case 'plan-undo':
      return planUndo(tx, deployment, tree, change);
    case 'set-waiting':
      return setWaiting(tx, deployment, change);
    case 'abort':
      return void (await tx.execute('UPDATE deployments SET aborted = true WHERE id = ?', [
        deployment.id,
      ]));
    case 'end-deployment':
      return endDeployment(tx, deployment, change);
    case 'settle':
      return settle(tx, deployment, change.note);
    case 'end-unplanned':
      return endUnplanned(tx, deployment, change.message);
  }
}
