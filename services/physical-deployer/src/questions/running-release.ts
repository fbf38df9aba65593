import type { ReleaseRow, TargetRow } from '@floy/database/rows';
import { openSnapshot } from '@floy/database/snapshot';
import { ConflictError, type HostSettings } from '@floy/domain';
import type { CommandPlace } from '../commands/environment.js';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { hostSettings, releaseDirOf } from '../release/instance-context.js';
import { checkedPath } from '../rollout/host-work.js';
import type { AskedHost } from './asked-hosts.js';

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
 * What runs of a service on a host, as the record says: what was last seen there, else the last good
 * one. Its commands are those of its own snapshot, so that they fit it also after a rollback and
 * after a change of the config. Throws ConflictError where nothing was deployed.
 */
export async function runningRelease(
  deps: DeployerDeps,
  asked: AskedHost,
  of: ServiceAsked,
): Promise<RunningRelease> {
  const { knex } = deps.database;
  const targets = (await knex('targets')
    .where({
      environment_id: of.environmentId,
      application_id: of.applicationId,
      host: asked.host.host,
      port: asked.host.port,
    })
    .orderByRaw('observed_at DESC NULLS LAST, id')) as TargetRow[];
  const [target] = targets;
  const releaseId = target?.current_release_id ?? target?.last_good_release_id;
  const [release] = releaseId
    ? ((await knex('releases').where({ id: releaseId })) as ReleaseRow[])
    : [];
  if (!target || !release) {
    throw new ConflictError(`Nothing of this service has been deployed to ${asked.name} yet`);
  }
  const snapshot = openSnapshot(deps.sealer, release.deployment_id, release.snapshot);
  const { settings } = hostSettings(snapshot, release, target, asked.login, release.service);
  const version = snapshot.version.git_tag;
  return {
    target,
    settings,
    place: {
      deployPath: checkedPath(target.deploy_path),
      releaseDir: releaseDirOf(version, release.id),
      version,
    },
  };
}
