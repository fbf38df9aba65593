import { beginInstance, giveUpInstance } from '@floy/database/transitions/instance-work';
import { messageOf } from '@floy/domain';
import type { LongHandler } from '@floy/messaging/handlers';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { dirsToKeep, type InstanceContext } from '../release/instance-context.js';
import { runInstance } from '../release/run-instance.js';
import type { HostWork } from '../rollout/host-work.js';
import { pruneHost } from '../rollout/prune-host.js';
import { switchHost } from '../rollout/switch-host.js';
import { idsOf } from './stage-instance.js';

/** Makes a staged release the running one and sees it healthy. */
export function switchInstanceHandler(deps: DeployerDeps): LongHandler<'switch-instance'> {
  return {
    begin: (tx, ids) => beginInstance(tx, idsOf(ids), 'switching'),
    run: (work, ids) =>
      runInstance(deps, work, {
        ids: idsOf(ids),
        succeeds: 'succeeded',
        async act(host, release, context) {
          await switchHost(deps.hosts, host, release, { runPreSwitch: runsPreSwitch(context) });
          await pruneQuietly(deps, host, context);
          return undefined;
        },
      }),
    dead: (tx, ids, reason) => giveUpInstance(tx, idsOf(ids), `Switching was given up: ${reason}`),
  };
}

/** What prepares a new version (a migration) is no part of returning to an old one. */
function runsPreSwitch({ release, instance, settings }: InstanceContext): boolean {
  return !release.undo && (!settings.preSwitchRunOnce || instance.position === 0);
}

/** Old releases that stay a little longer are no reason to call a healthy instance failed. */
async function pruneQuietly(
  deps: DeployerDeps,
  host: HostWork,
  context: InstanceContext,
): Promise<void> {
  const { settings, contentDir } = context;
  try {
    const kept = [...(await dirsToKeep(deps.database, context)), contentDir];
    await pruneHost(deps.hosts, host, settings.deployPath, kept);
  } catch (error) {
    host.signal.throwIfAborted();
    host.log(`Old releases could not be removed: ${messageOf(error)}`);
  }
}
