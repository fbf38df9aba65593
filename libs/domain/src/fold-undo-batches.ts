import type { Change } from './change.js';
import type { InstanceNode, Millis, ReleaseNode } from './tree.js';

/** So long a later batch of an undo waits for an earlier one that is still to be reached. */
const reachMs = 5000;

/**
 * The next switches of an undo: batch after batch, of which the first are what is broken. Targets
 * within reach are returned without waiting for those that are not for more than a moment: a host
 * that is gone holds nobody up.
 */
export function foldUndoBatches(release: ReleaseNode, open: InstanceNode[], now: Millis): Change[] {
  const staged = open.filter(({ status }) => status === 'staged');
  if (staged.length === 0) return [];
  const batch = Math.min(...staged.map((instance) => instance.batch));
  // Whoever was staged a little later is returned along with its batch.
  if (open.some((each) => each.status === 'switching' && each.batch !== batch)) return [];
  if (open.some((each) => each.status === 'staging' && each.batch < batch)) {
    if (release.bakeUntil === null)
      return [{ do: 'hold', releaseId: release.id, until: now + reachMs }];
    if (now < release.bakeUntil) return [];
  }
  const next = staged.filter((instance) => instance.batch === batch);
  return [{ do: 'switch', releaseId: release.id, batch, instanceIds: next.map(({ id }) => id) }];
}
