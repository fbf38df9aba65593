import type { Change } from './change.js';
import { isFinal } from './states.js';
import type { DeploymentTree } from './tree.js';

/**
 * What a cancel ends at once: every open part. Only where a deployer has begun can anything run on
 * the target, so only there it has to be stopped. Leases in the order of their
 * subjects (tasks, then targets), since that is how they are renewed.
 */
export function endOpenWork(tree: DeploymentTree, message: string): Change[] {
  const instances = tree.releases
    .flatMap((release) => release.instances)
    .filter(({ status }) => !isFinal('instance', status))
    .sort((a, b) => (a.targetId < b.targetId ? -1 : 1));
  const running = tree.tasks
    .filter(({ type, status }) => type !== 'deploy' && status === 'running')
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  return [
    ...running.map(({ id }): Change => ({ do: 'stop-task', taskId: id })),
    ...instances.flatMap(({ id, status, started }): Change[] => {
      const inWork = started && (status === 'staging' || status === 'switching');
      return [
        { do: 'end-instance', instanceId: id, status: 'cancelled', message },
        ...(inWork ? [{ do: 'stop-instance', instanceId: id } as const] : []),
      ];
    }),
    ...tree.releases
      .filter(({ status }) => !isFinal('release', status))
      .map(({ id }): Change => ({
        do: 'end-release',
        releaseId: id,
        status: 'cancelled',
        message,
      })),
    ...tree.tasks
      .filter(({ status }) => !isFinal('task', status))
      .map(({ id, scheduled }): Change => ({
        do: 'end-task',
        taskId: id,
        status: 'failed',
        message,
        notRun: !scheduled,
      })),
  ];
}
