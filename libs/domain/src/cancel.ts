import type { Change } from './change.js';
import { isFinal } from './states.js';
import type { DeploymentTree } from './tree.js';

/**
 * What a cancel ends at once: every open part. Only where a deployer has begun can anything run on
 * the target, so only there it has to be stopped. Targets in id order, since they are locked so.
 */
export function endOpenWork(tree: DeploymentTree, message: string): Change[] {
  const instances = tree.releases
    .flatMap((release) => release.instances)
    .filter(({ status }) => !isFinal('instance', status))
    .sort((a, b) => (a.targetId < b.targetId ? -1 : 1));
  return [
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
      .flatMap(({ id, type, status, scheduled }): Change[] => [
        { do: 'end-task', taskId: id, status: 'failed', message, notRun: !scheduled },
        ...(type !== 'deploy' && status === 'running'
          ? [{ do: 'stop-task', taskId: id } as const]
          : []),
      ]),
  ];
}
