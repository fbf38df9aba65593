import type { DeploymentTimes } from '@floy/database/read-models/deployment-times';

/** The phases that a deployment can have been in before it was settled. */
export type TimedPhase = 'queued' | 'forward' | 'stopping' | 'undoing';

/** How many seconds a settled deployment was in each phase that it came to. */
export function phaseSeconds(times: DeploymentTimes): [phase: TimedPhase, seconds: number][] {
  const { queuedAt, startedAt, undoingAt, completedAt, settledAt, cancelled } = times;
  // A cancel is the end at once, and what is on the hosts is seen to afterwards.
  const began: [TimedPhase, Date | null][] = [
    ['queued', queuedAt],
    ['forward', startedAt],
    ['stopping', cancelled && startedAt ? completedAt : null],
    ['undoing', undoingAt],
  ];
  const reached = began.flatMap(([phase, at]) => (at ? [{ phase, at }] : []));
  return reached.map(({ phase, at }, index) => {
    const until = reached[index + 1]?.at ?? settledAt ?? at;
    return [phase, Math.max(0, until.getTime() - at.getTime()) / 1000];
  });
}
