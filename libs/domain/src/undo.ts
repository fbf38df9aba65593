import type { Change, PlannedUndo } from './change.js';
import { batchSizes } from './batches.js';
import type { Verdict } from './states.js';
import type { DeploymentTree, InstanceNode, ReleaseNode, TaskNode } from './tree.js';

/**
 * How what a deployment did is undone: what is broken first, then the rest, never more at once than
 * the rollout itself had switched in its largest batch. In reverse order of `requires`.
 *
 * Whoever was interrupted in a switch is brought to an end also where nobody asked for an undo,
 * since its service may stand still: back to what was last good, or, where there is nothing to
 * return to and what is new shall stay, on to the new release.
 */
export function plannedUndo(tree: DeploymentTree): PlannedUndo[] {
  const wanted = isUndoWanted(tree);
  const keepsNew = tree.deployment.cancelled && !tree.deployment.rollbackOnCancel;
  const undone = tree.tasks.flatMap((task) => {
    const release = task.undoOf === null ? releaseOf(tree, task) : undefined;
    const instances =
      release?.instances.filter(
        (each) =>
          each.touched &&
          (each.hasLastGood ? wanted || isInterrupted(each) : keepsNew && isInterrupted(each)),
      ) ?? [];
    return release && instances.length > 0 ? [{ task, release, instances }] : [];
  });
  return undone.map(({ task, release, instances }) => {
    const after = undone.filter(({ task: other }) => other.dependsOn.includes(task.id));
    const broken = instances.filter(isBroken);
    const rest = instances.filter((each) => !isBroken(each));
    const atOnce = largestBatch(release);
    return {
      taskId: task.id,
      after: after.map(({ task: { id } }) => id),
      instanceIds: [...broken, ...rest].map(({ id }) => id),
      batches: [...batchSizes(broken.length, atOnce), ...batchSizes(rest.length, atOnce)],
    };
  });
}

/** What each instance is left with. */
export function verdicts(tree: DeploymentTree): Change[] {
  const undone = undoInstances(tree);
  return forwardInstances(tree)
    .filter(({ verdict }) => verdict === null)
    .map((instance) => ({
      do: 'set-verdict',
      instanceId: instance.id,
      verdict: verdictOf(instance, undone.get(instance.targetId)),
    }));
}

/** Whether every instance that was touched is back on what was last good there. */
export function isAllReturned(tree: DeploymentTree): boolean {
  const undone = undoInstances(tree);
  return forwardInstances(tree)
    .filter(({ touched }) => touched)
    .every((each) => verdictOf(each, undone.get(each.targetId)) === 'reverted');
}

/** What did not come back though it was to, and why, for people; empty where all did. */
export function leftBehind(tree: DeploymentTree): string {
  if (!isUndoWanted(tree)) return '';
  const undone = undoInstances(tree);
  return tree.releases
    .filter(({ undo }) => !undo)
    .flatMap((release) => {
      const touched = release.instances.filter((each) => each.touched);
      const left = (hasLastGood: boolean, verdict: Verdict) =>
        touched.filter(
          (each) =>
            each.hasLastGood === hasLastGood &&
            verdictOf(each, undone.get(each.targetId)) === verdict,
        );
      const never = (instances: InstanceNode[], what: string): string[] => {
        if (instances.length === 0) return [];
        const all = instances.length > 1 && instances.length === touched.length;
        const who = all ? release.service : namesOf(instances);
        return [`${who} had never been healthy here: ${what}`];
      };
      const lost = [...left(true, 'unknown'), ...left(true, 'new')];
      return [
        ...never(left(false, 'new'), `left on ${release.version}`),
        ...never(left(false, 'unknown'), 'what runs there cannot be told'),
        ...(lost.length === 0
          ? []
          : [`the rollback did not succeed on ${namesOf(lost)}: deploy what shall run there`]),
      ];
    })
    .join('; ');
}

export function forwardInstances(tree: DeploymentTree): InstanceNode[] {
  return tree.releases.filter(({ undo }) => !undo).flatMap(({ instances }) => instances);
}

/** The instances of the undo, by target. */
export function undoInstances(tree: DeploymentTree): ReadonlyMap<string, InstanceNode> {
  const instances = tree.releases.filter(({ undo }) => undo).flatMap((undo) => undo.instances);
  return new Map(instances.map((instance) => [instance.targetId, instance]));
}

export function releaseOf(tree: DeploymentTree, task: TaskNode): ReleaseNode | undefined {
  return tree.releases.find(({ taskId }) => taskId === task.id);
}

function isUndoWanted({ deployment }: DeploymentTree): boolean {
  return deployment.cancelled ? deployment.rollbackOnCancel : deployment.autoRollback;
}

/** Whether a cancel came in the middle of its switch. */
function isInterrupted({ touched, status }: InstanceNode): boolean {
  return touched && status === 'cancelled';
}

/** Whether it was touched and is not known to be healthy. */
function isBroken({ status, sickened }: InstanceNode): boolean {
  return status !== 'succeeded' || sickened;
}

function largestBatch({ instances }: ReleaseNode): number {
  const sizes = new Map<number, number>();
  for (const { batch, touched } of instances)
    if (touched) sizes.set(batch, (sizes.get(batch) ?? 0) + 1);
  return Math.max(1, ...sizes.values());
}

/** What was looked at after a switch had been interrupted is no proof that the new release serves. */
function verdictOf(instance: InstanceNode, undo: InstanceNode | undefined): Verdict {
  if (!instance.touched) return 'untouched';
  if (undo?.status === 'succeeded') return instance.hasLastGood ? 'reverted' : 'new';
  if (undo?.touched) return 'unknown';
  if (!isBroken(instance)) return 'new';
  if (instance.observed === 'new') return isInterrupted(instance) ? 'unknown' : 'new';
  return instance.observed === 'other' ? 'untouched' : 'unknown';
}

/** So many names stand in a message. */
const mostNames = 5;

function namesOf(instances: readonly InstanceNode[]): string {
  const names = instances.slice(0, mostNames).map(({ name }) => name);
  const more = instances.length - names.length;
  return more === 0 ? names.join(', ') : `${names.join(', ')} and ${more} more`;
}
