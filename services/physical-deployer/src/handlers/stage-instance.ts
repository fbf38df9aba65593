import { beginInstance, giveUpInstance } from '@floy/database/transitions/instance-work';
import type { LongHandler } from '@floy/messaging/handlers';
import type { DeployerDeps } from '../release/deployer-deps.js';
import type { InstanceContext } from '../release/instance-context.js';
import { runInstance } from '../release/run-instance.js';
import type { HostWork } from '../rollout/host-work.js';
import { releasesOn } from '../rollout/observe-host.js';
import { stageHost } from '../rollout/stage-host.js';

/** Puts a release on a host beside what serves there. */
export function stageInstanceHandler(deps: DeployerDeps): LongHandler<'stage-instance'> {
  return {
    begin: (tx, ids) => beginInstance(tx, idsOf(ids), 'staging'),
    run: (work, ids) =>
      runInstance(deps, work, {
        ids: idsOf(ids),
        succeeds: 'staged',
        async act(host, release, context) {
          if (context.content.id !== context.release.id && (await isThere(deps, host, context)))
            return;
          await stageHost(deps.hosts, host, release);
        },
      }),
    dead: (tx, ids, reason) => giveUpInstance(tx, idsOf(ids), `Staging was given up: ${reason}`),
  };
}

/** Rolling back reuses what is still on the target, also where the artifact is gone. */
async function isThere(
  deps: DeployerDeps,
  host: HostWork,
  context: InstanceContext,
): Promise<boolean> {
  const releases = await releasesOn(deps.hosts, host, context.settings.deployPath);
  return releases.includes(context.contentDir);
}

export function idsOf(ids: { deployment_id: string; instance_id: string }) {
  return { deploymentId: ids.deployment_id, instanceId: ids.instance_id };
}
