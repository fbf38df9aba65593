import type { Change } from './change.js';
import { isFinal } from './states.js';
import type { DeploymentTree, InstanceNode, ReleaseNode } from './tree.js';

/**
 * What a cancel ends at once: every open part. Only where a deployer has begun can anything run on
 * the target, so only there it has to be stopped. What an undo has begun to switch is left to
 * come to its end: half of it may be a service that stands still. Leases in the order of their
 * subjects (tasks, then targets), since that is how they are renewed.
 */
export function endOpenWork(tree: DeploymentTree, message: string): Change[] {
  const instances = tree.releases
    .flatMap((release) => release.instances.filter((each) => !isFinishing(release, each)))
    .filter(({ status, looking }) => !isFinal('instance', status) || looking)
    .sort((a, b) => (a.targetId < b.targetId ? -1 : 1));
  const left = tree.releases.filter((release) =>
    release.instances.some((each) => isFinishing(release, each)),
  );
  const running = tree.tasks
    .filter(({ type, status }) => type !== 'deploy' && status === 'running')
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  return [
    ...running.map(({ id }): Change => ({ do: 'stop-task', taskId: id })),
    ...instances.flatMap(({ id, status, started, looking }): Change[] => {
      if (looking) return [{ do: 'end-look', instanceId: id, sickened: null }];
      const inWork = started && (status === 'staging' || status === 'switching');
      return [
        { do: 'end-instance', instanceId: id, status: 'cancelled', message },
        ...(inWork ? [{ do: 'stop-instance', instanceId: id } as const] : []),
      ];
    }),
    ...tree.releases
      .filter((release) => !isFinal('release', release.status) && !left.includes(release))
      .map(({ id }): Change => ({
        do: 'end-release',
        releaseId: id,
        status: 'cancelled',
        message,
      })),
    ...tree.tasks
      .filter(({ id, status }) => {
        return !isFinal('task', status) && !left.some(({ taskId }) => taskId === id);
      })
      .map(({ id, scheduled }): Change => ({
        do: 'end-task',
        taskId: id,
        status: 'failed',
        message,
        notRun: !scheduled,
      })),
  ];
}

/** Whether an instance is in the middle of being returned. */
function isFinishing({ undo }: ReleaseNode, { touched, status }: InstanceNode): boolean {
  return undo && touched && !isFinal('instance', status);
}
