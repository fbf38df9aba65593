import { openSnapshot } from '@floy/database/snapshot';
import { messageOf } from '@floy/domain';
import type { HostRelease, HostWork } from '../rollout/host-work.js';
import { askedOf, seeHealth } from '../rollout/look-at-health.js';
import type { DeployerDeps } from './deployer-deps.js';
import { hostSettings, type InstanceContext } from './instance-context.js';
import { releaseDirOf } from './release-dir.js';

/**
 * The release that a host is healthy on already, where it is of the very same artifact with the same
 * settings as the one that is to be put there: then there is nothing to do. Undefined where it is
 * another, where one look does not find it healthy, for an undo, and where a person said `force`.
 */
export async function foundHealthy(
  deps: DeployerDeps,
  host: HostWork,
  release: HostRelease,
  context: InstanceContext,
): Promise<string | undefined> {
  const { running, content, force } = context;
  if (running === undefined || force || context.release.undo) return undefined;
  if (running.artifact_sha256 !== content.artifact_sha256) return undefined;
  if (running.version_id !== content.version_id) return undefined;
  const releaseDir = releaseDirOf(running.version, running.id);
  const settings = settingsOfRunning(deps, host, context);
  if (settings === undefined) return undefined;
  // A release's own folder is part of its settings, and no difference.
  const text = (each: HostRelease['settings'], dir: string): string =>
    JSON.stringify(each).replaceAll(dir, '');
  if (text(settings, releaseDir) !== text(context.settings, context.contentDir)) return undefined;
  const there = { ...release, releaseDir, version: running.version, settings };
  const seen = await seeHealth(deps.hosts, host, there);
  if (!seen.healthy) {
    host.log(`The same release is there and not healthy: ${seen.reason}`);
    return undefined;
  }
  host.log(
    `Healthy on the same artifact with the same settings (${askedOf(there)}): nothing is touched`,
  );
  return running.id;
}

/** Settings that cannot be read any more are not the same. */
function settingsOfRunning(
  { sealer }: DeployerDeps,
  host: HostWork,
  { running, target, login, release, settings }: InstanceContext,
): HostRelease['settings'] | undefined {
  if (running === undefined) return undefined;
  try {
    const snapshot = openSnapshot(sealer, running.deployment_id, running.snapshot);
    const { deployPath, timeoutSeconds } = settings;
    const then = hostSettings(snapshot, running, target, login, release.service).settings;
    return { ...then, deployPath, timeoutSeconds };
  } catch (error) {
    host.log(`What runs on the host cannot be compared: ${messageOf(error)}`);
    return undefined;
  }
}
