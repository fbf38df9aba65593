import { hostPlaceOf, type HostSettings } from '@floy/contracts';
import { runningReleaseOf, targetsOf } from '@floy/database/read-models/targets';
import type { TargetRow } from '@floy/database/rows';
import { openSnapshot } from '@floy/database/snapshot';
import { ConflictError } from '@floy/domain';
import type { CommandPlace } from '../commands/environment.js';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { hostSettings } from '../release/instance-context.js';
import { releaseDirOf } from '../release/release-dir.js';
import { checkedPath } from '../rollout/host-work.js';
import { isOn, type AskedHost } from './asked-hosts.js';

/** A service of an environment. */
export interface ServiceAsked {
  readonly environmentId: string;
  readonly applicationId: string;
}

/** The release of a service that runs on a host, and the settings that it was released with. */
export interface RunningRelease {
  readonly target: TargetRow;
  readonly place: CommandPlace;
  readonly settings: HostSettings;
}

/**
 * The release of a service that runs on a host, as the record says. Its commands are those of its
 * own snapshot, so that they fit it also after a rollback and after a change of the config. Throws
 * ConflictError where nothing was deployed.
 */
export async function runningRelease(
  deps: DeployerDeps,
  asked: AskedHost,
  of: ServiceAsked,
): Promise<RunningRelease> {
  const { target, release } = await deps.database.transaction(async (tx) => {
    const target = (await targetsOf(tx, of)).find((each) => isOn(asked, each));
    return { target, release: target && (await runningReleaseOf(tx, target)) };
  });
  if (!target || !release) {
    throw new ConflictError(`Nothing of this service has been deployed to ${asked.name} yet`);
  }
  const snapshot = openSnapshot(deps.sealer, release.deployment_id, release.snapshot);
  const { settings } = hostSettings(snapshot, release, target, asked.login, release.service);
  const { version } = release;
  return {
    target,
    settings,
    place: {
      deployPath: checkedPath(hostPlaceOf(target.place).deploy_path),
      releaseDir: releaseDirOf(version, release.id),
      version,
    },
  };
}
