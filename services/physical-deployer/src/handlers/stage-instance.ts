import { beginInstance, giveUpInstance } from '@floy/database/transitions/instance-work';
import type { LongHandler } from '@floy/messaging/handlers';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { foundHealthy } from '../release/found-healthy.js';
import { runInstance } from '../release/run-instance.js';
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
          const found = await foundHealthy(deps, host, release, context);
          if (found === undefined) await stageHost(deps.hosts, host, release);
          return found;
        },
      }),
    dead: (tx, ids, reason) => giveUpInstance(tx, idsOf(ids), `Staging was given up: ${reason}`),
  };
}

export function idsOf(ids: { deployment_id: string; instance_id: string }) {
  return { deploymentId: ids.deployment_id, instanceId: ids.instance_id };
}
