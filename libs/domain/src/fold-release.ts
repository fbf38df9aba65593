import type { Change } from './change.js';
import { isFinal } from './states.js';
import type { DeploymentNode, InstanceNode, Millis, ReleaseNode } from './tree.js';

/** Kept apart from `timeout`: a release whose instances no longer move ends after this much more. */
const progressGraceMs = 60_000;

/**
 * The next moves of one release, or none when it has to wait for an instance, a timer or a person.
 * The caller applies what is returned and asks again until nothing more follows.
 *
 * Order: everything is staged while the old version serves, then batch after batch is switched. An
 * undo has the same shape, without bakes, approval and failure budget: it tries every target.
 */
export function foldRelease(
  release: ReleaseNode,
  deployment: DeploymentNode,
  now: Millis,
): Change[] {
  if (isFinal('release', release.status)) return [];
  const late = expireInstances(release, now);
  if (late.length > 0) return late;

  const open = release.instances.filter((instance) => !isFinal('instance', instance.status));
  const failed = release.instances.filter((instance) => instance.status === 'failed');
  const inWork = open.filter(({ status }) => status === 'staging' || status === 'switching');

  if (open.length === 0) return [endRelease(release, failed)];
  const givenUp =
    !release.undo &&
    (failed.length > budgetOf(release) || firstFailed(release) || deployment.aborted);
  if (givenUp) {
    if (inWork.length > 0) return [];
    const why = deployment.aborted
      ? 'The rollout was aborted'
      : 'Not reached: the release had failed on other instances before';
    return open.map(({ id }) => ({
      do: 'end-instance',
      instanceId: id,
      status: 'cancelled',
      message: why,
    }));
  }
  if (deployment.pausedAt !== null && !release.undo) return [];

  const waiting = open.filter(({ status }) => status === 'pending');
  if (waiting.length > 0) {
    return [{ do: 'stage', releaseId: release.id, instanceIds: waiting.map(({ id }) => id) }];
  }
  const ready = open.filter(({ status }) => status !== 'staging');
  // An undo does not wait for targets out of reach: those within reach are returned at once.
  if (ready.length === 0 || (ready.length < open.length && !release.undo)) return [];
  return switchNextBatch(release, deployment, ready, now);
}

function switchNextBatch(
  release: ReleaseNode,
  deployment: DeploymentNode,
  open: InstanceNode[],
  now: Millis,
): Change[] {
  if (open.some(({ status }) => status === 'switching')) return [];
  if (release.approval && !release.undo && !deployment.approved) return [];
  const batch = Math.min(...open.map((instance) => instance.batch));
  // What runs once (a migration) has to be over before any other target is switched.
  const alone = release.runOnce && batch === 0;
  const all = deployment.promoted && !alone;
  const next = all ? open : open.filter((instance) => instance.batch === batch);
  const begun = release.instances.some((instance) => instance.status === 'succeeded');
  if (begun && release.bakeSeconds > 0 && !release.undo && !deployment.promoted) {
    if (release.bakeUntil === null) {
      return [{ do: 'bake', releaseId: release.id, until: now + release.bakeSeconds * 1000 }];
    }
    if (now < release.bakeUntil) return [];
  }
  return [{ do: 'switch', releaseId: release.id, batch, instanceIds: next.map(({ id }) => id) }];
}

function endRelease(release: ReleaseNode, failed: InstanceNode[]): Change {
  const cancelled = release.instances.some(({ status }) => status === 'cancelled');
  if (failed.length <= budgetOf(release) && !firstFailed(release) && !cancelled) {
    return { do: 'end-release', releaseId: release.id, status: 'completed', message: '' };
  }
  const first = failed.find(({ errorMessage }) => errorMessage !== '');
  const count = `${failed.length} of ${release.instances.length} instances failed`;
  const message = first
    ? `${count}: ${first.errorMessage}`
    : failed.length > 0
      ? count
      : 'The rollout was aborted';
  return { do: 'end-release', releaseId: release.id, status: 'failed', message };
}

/** How many instances may fail. */
function budgetOf(release: ReleaseNode): number {
  return release.undo ? 0 : release.maxFailures;
}

/** Whether what runs once has failed: no budget covers that. */
function firstFailed(release: ReleaseNode): boolean {
  if (!release.runOnce || release.undo) return false;
  return release.instances.some(({ batch, status }) => batch === 0 && status === 'failed');
}

/** Instances past their deadline, or begun in a release that no longer advances, end as failed. */
function expireInstances(release: ReleaseNode, now: Millis): Change[] {
  const stalled = now >= release.advancedAt + release.timeoutSeconds * 1000 + progressGraceMs;
  return [...release.instances]
    .sort((a, b) => (a.targetId < b.targetId ? -1 : 1))
    .filter(({ status }) => status === 'staging' || status === 'switching')
    .filter(
      ({ deadlineAt, started }) =>
        (deadlineAt !== null && deadlineAt <= now) || (started && stalled),
    )
    .flatMap((instance): Change[] => {
      const message = instance.started
        ? `Timed out after ${release.timeoutSeconds} s (the key is timeout)`
        : 'No deployer took the work in time: is one running?';
      return [
        { do: 'end-instance', instanceId: instance.id, status: 'failed', message },
        { do: 'stop-instance', instanceId: instance.id },
      ];
    });
}
