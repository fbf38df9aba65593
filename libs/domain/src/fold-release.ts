import type { Change } from './change.js';
import { foldUndoBatches } from './fold-undo-batches.js';
import { isFinal } from './states.js';
import type { DeploymentNode, InstanceNode, Millis, ReleaseNode } from './tree.js';

/** Kept apart from `timeout`: a release whose instances no longer move ends after this much more. */
const progressGraceMs = 60_000;
/** Who was seen healthy so shortly ago, in the batch that has just ended, is not looked at again. */
const justSeenMs = 2000;

/**
 * The next moves of one release, or none when it has to wait for an instance, a timer or a person.
 * The caller applies what is returned and asks again until nothing more follows.
 *
 * Order: everything is staged while the old version serves, then batch after batch is switched.
 * Before the next batch and at the end, whatever was switched so far is looked at again. An undo has
 * the same shape, without bakes, looks, approval and failure budget: it tries every target.
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
  const failed = release.instances.filter(hasFailed);
  const inWork = release.instances.some(
    ({ status, looking }) => status === 'staging' || status === 'switching' || looking,
  );
  const givenUp =
    !release.undo &&
    (failed.length > budgetOf(release) || firstFailed(release) || deployment.aborted);
  if (givenUp) {
    if (inWork) return [];
    if (open.length === 0) return [endRelease(release, deployment, failed)];
    const why = deployment.aborted
      ? abortedMessage(deployment)
      : 'Not reached: the release had failed on other instances before';
    return open.map(({ id }) => ({
      do: 'end-instance',
      instanceId: id,
      status: 'cancelled',
      message: why,
    }));
  }
  if (open.length === 0) {
    if (inWork) return [];
    const again = lookAgain(release, now);
    return again.length > 0 ? again : [endRelease(release, deployment, failed)];
  }
  if (deployment.pausedAt !== null && !release.undo) return [];

  const waiting = open.filter(({ status }) => status === 'pending');
  if (waiting.length > 0) {
    return [{ do: 'stage', releaseId: release.id, instanceIds: waiting.map(({ id }) => id) }];
  }
  if (release.undo) return foldUndoBatches(release, open, now);
  if (inWork) return [];
  return switchNextBatch(release, deployment, open, now);
}

/** Whether an instance counts against the failure budget. */
export function hasFailed({ status, sickened }: InstanceNode): boolean {
  return status === 'failed' || sickened;
}

/** Why a rollout ended that somebody aborted, or that waited for somebody for too long. */
export function abortedMessage({ by }: DeploymentNode): string {
  if (by.aborted !== '') return `The rollout was aborted by ${by.aborted}`;
  const paused = by.paused === '' ? '' : ` (paused by ${by.paused})`;
  return `The rollout was aborted: it had waited too long for a person${paused}`;
}

function switchNextBatch(
  release: ReleaseNode,
  deployment: DeploymentNode,
  open: InstanceNode[],
  now: Millis,
): Change[] {
  if (release.approval && !deployment.approved) return [];
  const batch = Math.min(...open.map((instance) => instance.batch));
  // What runs once (a migration) has to be over before any other target is switched.
  const alone = release.runOnce && batch === 0;
  const all = deployment.promoted && !alone;
  const next = all ? open : open.filter((instance) => instance.batch === batch);
  const begun = release.instances.some(isSwitched);
  if (begun && release.bakeSeconds > 0 && !deployment.promoted) {
    if (release.bakeUntil === null) {
      return [{ do: 'bake', releaseId: release.id, until: now + release.bakeSeconds * 1000 }];
    }
    if (now < release.bakeUntil) return [];
  }
  const again = lookAgain(release, now);
  if (again.length > 0) return again;
  return [{ do: 'switch', releaseId: release.id, batch, instanceIds: next.map(({ id }) => id) }];
}

/**
 * Has whatever was switched so far looked at again, once after each batch. Left out is who has only
 * just been seen healthy by its own switch: nothing has happened since.
 */
function lookAgain(release: ReleaseNode, now: Millis): Change[] {
  if (release.undo || release.looked) return [];
  const ended = release.instances.filter(({ endedAt }) => endedAt !== null);
  const last = Math.max(...ended.map(({ batch }) => batch));
  const baked = release.bakeUntil !== null;
  const due = ended.filter(
    (instance) =>
      isSwitched(instance) &&
      !instance.sickened &&
      (baked || instance.batch < last || now - (instance.endedAt ?? 0) > justSeenMs),
  );
  if (due.length === 0) return [];
  return [{ do: 'look', releaseId: release.id, instanceIds: due.map(({ id }) => id) }];
}

/** Whether this release serves there: not where its very like was found and nothing was touched. */
function isSwitched({ status, touched }: InstanceNode): boolean {
  return status === 'succeeded' && touched;
}

function endRelease(
  release: ReleaseNode,
  deployment: DeploymentNode,
  failed: InstanceNode[],
): Change {
  const cancelled = release.instances.some(({ status }) => status === 'cancelled');
  if (failed.length <= budgetOf(release) && !firstFailed(release) && !cancelled) {
    return { do: 'end-release', releaseId: release.id, status: 'completed', message: '' };
  }
  const first = failed.find(({ errorMessage }) => errorMessage !== '');
  const count = `${failed.length} of ${release.instances.length} instances failed`;
  const ended = release.undo ? 'The rollback was cancelled' : abortedMessage(deployment);
  const message = first ? `${count}: ${first.errorMessage}` : failed.length > 0 ? count : ended;
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

/**
 * Instances past their deadline, or begun in a release that no longer advances, end as failed. One
 * that nobody looked at in time cannot be called healthy any more.
 */
function expireInstances(release: ReleaseNode, now: Millis): Change[] {
  const stalled = now >= release.advancedAt + release.timeoutSeconds * 1000 + progressGraceMs;
  return [...release.instances]
    .sort((a, b) => (a.targetId < b.targetId ? -1 : 1))
    .filter(({ status, looking }) => status === 'staging' || status === 'switching' || looking)
    .filter(
      ({ deadlineAt, started }) =>
        (deadlineAt !== null && deadlineAt <= now) || (started && stalled),
    )
    .flatMap((instance): Change[] => {
      const message = instance.started
        ? `Timed out after ${release.timeoutSeconds} s (the key is timeout)`
        : 'No deployer took the work in time: is one running?';
      const { id: instanceId } = instance;
      if (instance.looking) return [{ do: 'end-look', instanceId, sickened: message }];
      return [
        { do: 'end-instance', instanceId, status: 'failed', message },
        { do: 'stop-instance', instanceId },
      ];
    });
}
