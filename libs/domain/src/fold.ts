import type { Change } from './change.js';
import { abortedMessage, foldRelease } from './fold-release.js';
import { isFinal } from './states.js';
import type { DeploymentTree, Millis, TaskNode } from './tree.js';
import {
  forwardInstances,
  isAllReturned,
  leftBehind,
  plannedUndo,
  releaseOf,
  undoInstances,
  verdicts,
} from './undo.js';

/**
 * The next moves of a deployment from the state of its parts (design: plan and fold). Pure: the same
 * tree and time give the same changes, so it does not matter which process folds, how often, or in
 * which order the parts ended. The caller applies the changes, loads the tree again and folds until
 * nothing follows.
 */
export function fold(tree: DeploymentTree, now: Millis): Change[] {
  const { deployment } = tree;
  if (deployment.phase === 'done') return [];
  if (deployment.status === 'pending') return foldPending(tree, now);
  if (tree.workflow === null || tree.workflow.status === 'pending') return foldUnplanned(tree, now);

  const stops = giveUpStops(tree, now);
  if (stops.length > 0) return stops;
  const releases = foldReleases(tree, now);
  if (releases.length > 0) return releases;
  const tasks = foldDeployTasks(tree);
  if (tasks.length > 0) return tasks;

  switch (deployment.phase) {
    case 'forward': {
      const changes = foldForward(tree, now);
      return changes.length > 0 ? changes : foldWaiting(tree, now);
    }
    case 'stopping':
      return foldStopping(tree);
    case 'undoing':
      return foldUndoing(tree);
    case 'queued':
      return [];
  }
}

function foldPending({ deployment }: DeploymentTree, now: Millis): Change[] {
  if (deployment.deadlineAt === null || now < deployment.deadlineAt) return [];
  const behind = deployment.waitingFor || 'other deployments';
  return [{ do: 'end-unplanned', message: `Waited too long behind ${behind}` }];
}

/** The plan of this round is still to come; tasks that a retry keeps are there before it. */
function foldUnplanned({ deployment }: DeploymentTree, now: Millis): Change[] {
  if (deployment.deadlineAt === null || now < deployment.deadlineAt) return [];
  const message = 'The deployment was not planned in time: is a workflow-manager running?';
  return [{ do: 'end-unplanned', message }];
}

function foldReleases(tree: DeploymentTree, now: Millis): Change[] {
  const { deployment } = tree;
  return tree.releases.flatMap((release) => {
    // A cancelled deployment starts nothing forward; its instances were ended by the cancel itself.
    if (deployment.phase === 'stopping' && !release.undo) return [];
    return foldRelease(release, deployment, now);
  });
}

/** A target that cannot be stopped in its time is left as unknown: nothing waits for it. */
function giveUpStops(tree: DeploymentTree, now: Millis): Change[] {
  return tree.releases
    .flatMap(({ instances }) => instances)
    .filter(({ stopping, deadlineAt }) => stopping && deadlineAt !== null && deadlineAt <= now)
    .map(({ id }) => ({ do: 'give-up-stop', instanceId: id }));
}

/** Says what a running deployment waits for, and ends waits for people after their time. */
function foldWaiting(tree: DeploymentTree, now: Millis): Change[] {
  const { deployment } = tree;
  const late = deployment.deadlineAt !== null && deployment.deadlineAt <= now;
  if (late && !deployment.aborted) return [{ do: 'abort' }];
  const { waitingFor, bounded } = waitingOf(tree);
  return waitingFor === deployment.waitingFor ? [] : [{ do: 'set-waiting', waitingFor, bounded }];
}

function waitingOf(tree: DeploymentTree): { waitingFor: string; bounded: boolean } {
  if (tree.deployment.pausedAt !== null) return { waitingFor: 'Paused', bounded: true };
  for (const release of tree.releases) {
    if (isFinal('release', release.status)) continue;
    const open = release.instances.filter(({ status }) => !isFinal('instance', status));
    if (open.length === 0 || open.some(({ status }) => status !== 'staged')) continue;
    if (release.instances.some(({ looking }) => looking)) continue;
    if (release.approval && !tree.deployment.approved)
      return { waitingFor: 'Approval', bounded: true };
    if (release.bakeUntil !== null) {
      return {
        waitingFor: `Baking until ${new Date(release.bakeUntil).toISOString()}`,
        bounded: false,
      };
    }
  }
  return { waitingFor: '', bounded: false };
}

/** A deploy task ends as its release does. */
function foldDeployTasks(tree: DeploymentTree): Change[] {
  return tree.tasks.flatMap((task): Change[] => {
    if (task.type !== 'deploy' || isFinal('task', task.status)) return [];
    const release = releaseOf(tree, task);
    if (!release || !isFinal('release', release.status)) return [];
    const of = { do: 'end-task', taskId: task.id, notRun: false } as const;
    if (release.status !== 'completed')
      return [{ ...of, status: 'failed', message: release.errorMessage }];
    const message = release.undo ? 'Returned to what ran before' : 'Deployed';
    return [{ ...of, status: 'success', message }];
  });
}

function foldForward(tree: DeploymentTree, now: Millis): Change[] {
  const forward = tree.tasks.filter((task) => task.undoOf === null);
  const late = forward.filter((task) => isLate(task, now));
  if (late.length > 0) return late.flatMap(endLateTask);

  const open = forward.filter((task) => !isFinal('task', task.status));
  const failed = forward.filter((task) => task.status === 'failed');
  if (failed.length === 0 && !tree.deployment.aborted) {
    if (open.length === 0) return succeed(tree);
    if (tree.deployment.pausedAt !== null) return [];
    return open
      .filter((task) => !task.scheduled && task.dependsOn.every((id) => hasSucceeded(forward, id)))
      .map(({ id }) => ({ do: 'schedule-task', taskId: id }));
  }
  if (open.some((task) => task.scheduled)) return [];
  const unreached = open.map(notReached);
  return [...unreached, ...beginUndo(tree)];
}

/** After a cancel: every target in work is stopped first, then what is to come back is returned. */
function foldStopping(tree: DeploymentTree): Change[] {
  if (tree.releases.some(({ instances }) => instances.some(({ stopping }) => stopping))) return [];
  return beginUndo(tree);
}

function foldUndoing(tree: DeploymentTree): Change[] {
  const undo = tree.tasks.filter((task) => task.undoOf !== null);
  const open = undo.filter((task) => !isFinal('task', task.status));
  if (open.length > 0) {
    return open
      .filter((task) => !task.scheduled && task.dependsOn.every((id) => isOver(undo, id)))
      .map(({ id }) => ({ do: 'schedule-task', taskId: id }));
  }
  if ([...undoInstances(tree).values()].some(({ stopping }) => stopping)) return [];
  return [...verdicts(tree), ...endAfterUndo(tree)];
}

function succeed(tree: DeploymentTree): Change[] {
  // An instance within the failure budget may still be in the stopping: its target is not free yet.
  if (forwardInstances(tree).some(({ stopping }) => stopping)) return [];
  return [
    ...verdicts(tree),
    { do: 'end-deployment', status: 'success', message: '' },
    { do: 'settle', note: '' },
  ];
}

/** The undo, or the end where nothing can or should be returned. */
function beginUndo(tree: DeploymentTree): Change[] {
  if (forwardInstances(tree).some(({ stopping }) => stopping)) return [];
  const undoes = plannedUndo(tree);
  if (undoes.length === 0) return [...verdicts(tree), ...endFailed(tree)];
  return [
    { do: 'set-phase', phase: 'undoing' },
    { do: 'plan-undo', undoes },
  ];
}

function endAfterUndo(tree: DeploymentTree): Change[] {
  if (!isAllReturned(tree) || tree.deployment.status !== 'running') return endFailed(tree);
  return [
    { do: 'end-deployment', status: 'rolled_back', message: failureOf(tree) },
    { do: 'settle', note: '' },
  ];
}

/** A cancelled deployment is final already; only its targets had to be settled. */
function endFailed(tree: DeploymentTree): Change[] {
  const note = leftBehind(tree);
  if (tree.deployment.status !== 'running') return [{ do: 'settle', note }];
  const message = [failureOf(tree), note].filter(Boolean).join('; ');
  return [
    { do: 'end-deployment', status: 'failed', message },
    { do: 'settle', note: '' },
  ];
}

function failureOf(tree: DeploymentTree): string {
  const { approved } = tree.deployment.by;
  const why = reasonOf(tree);
  return approved === '' ? why : `${why}; ${approved} had approved the rollout`;
}

function reasonOf(tree: DeploymentTree): string {
  if (tree.deployment.aborted) return abortedMessage(tree.deployment);
  const failed = tree.tasks.find(
    (task) => task.undoOf === null && task.status === 'failed' && task.scheduled,
  );
  if (!failed) return 'The deployment failed';
  const why = releaseOf(tree, failed)?.errorMessage || failed.errorMessage;
  return why
    ? `The ${failed.type} task ${failed.id} failed: ${why}`
    : `The ${failed.type} task ${failed.id} failed`;
}

function endLateTask(task: TaskNode): Change[] {
  const what =
    task.status === 'pending'
      ? 'No worker took the task in time: is one running?'
      : 'The task timed out';
  return [
    { do: 'end-task', taskId: task.id, status: 'failed', message: what, notRun: false },
    { do: 'stop-task', taskId: task.id },
  ];
}

function notReached(task: TaskNode): Change {
  const message = 'Not run: the deployment ended before this task';
  return { do: 'end-task', taskId: task.id, status: 'failed', message, notRun: true };
}

function isLate(task: TaskNode, now: Millis): boolean {
  return (
    task.type !== 'deploy' &&
    task.scheduled &&
    !isFinal('task', task.status) &&
    task.deadlineAt !== null &&
    task.deadlineAt <= now
  );
}

function hasSucceeded(tasks: TaskNode[], id: string): boolean {
  return tasks.some((task) => task.id === id && task.status === 'success');
}

function isOver(tasks: TaskNode[], id: string): boolean {
  return tasks.every((task) => task.id !== id || isFinal('task', task.status));
}
