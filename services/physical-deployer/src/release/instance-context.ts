import {
  fillHostSettings,
  hostConnection,
  hostPlaceOf,
  instanceIdOf,
  resolvePhysicalConnection,
  resolvePhysicalSettings,
  type HostConnection,
  type HostPlace,
  type HostSettings,
  type InstanceNames,
  type PhysicalConnection,
  type ResolvedHost,
} from '@floy/contracts';
import type { Database } from '@floy/database/database';
import { releasesToKeep } from '@floy/database/read-models/healthy-releases';
import { readInstanceRows } from '@floy/database/read-models/instance-rows';
import type { InstanceRow, ReleaseRow, TargetRow } from '@floy/database/rows';
import { openSnapshot, type Snapshot } from '@floy/database/snapshot';
import { VerdictError } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';
import { releaseDirOf } from './release-dir.js';

/** All that the work on one instance of a release needs to know. */
export interface InstanceContext {
  instance: InstanceRow;
  release: ReleaseRow;
  target: TargetRow;
  place: HostPlace;
  /** What is put there: the release itself, or the earlier one that is returned to. */
  content: ReleaseRow;
  contentDir: string;
  version: string;
  /** What was last seen there, if Floy made it. */
  running: ReleaseRow | undefined;
  /** Whether what is healthy there already is put there all the same. */
  force: boolean;
  settings: HostSettings;
  connection: HostConnection;
  login: PhysicalConnection;
}

/**
 * Reads what an instance's work needs: the settings of the content's own sealed snapshot, so that a
 * rollback brings configuration back with the code, and the connection as it is today.
 */
export async function loadInstance(
  database: Database,
  sealer: Sealer,
  instanceId: string,
): Promise<InstanceContext> {
  const rows = await database.transaction((tx) => readInstanceRows(tx, sealer, instanceId));
  const { instance, release, target, content, environment } = rows;
  const snapshot = openSnapshot(sealer, content.deployment_id, content.snapshot);
  const login = resolvePhysicalConnection(environment.config);
  const place = hostPlaceOf(target.place);
  const { settings, host } = hostSettings(snapshot, content, target, login, release.service);
  return {
    instance,
    release,
    target,
    place,
    content,
    contentDir: releaseDirOf(content.version, content.id),
    version: content.version,
    running: rows.running,
    force: rows.force,
    settings: {
      ...settings,
      deployPath: place.deploy_path,
      timeoutSeconds: release.timeout_seconds,
    },
    connection: hostConnection(login, host),
    login,
  };
}

/** The settings of a release's own snapshot, filled for the host of a target. */
export function hostSettings(
  snapshot: Snapshot,
  content: ReleaseRow,
  target: TargetRow,
  login: PhysicalConnection,
  service: string,
) {
  const application = snapshot.applications.find(({ id }) => id === content.application_id);
  if (!application)
    throw new VerdictError(`The snapshot of release ${content.id} lacks its application`);
  const behaviour = resolvePhysicalSettings(snapshot.environment.config, application.config);
  const names = {
    service,
    environment: snapshot.environment.name,
    application: application.name,
    port: behaviour.servicePort,
  };
  const host = hostOf(login, target, names);
  const port = host.servicePort ?? behaviour.servicePort;
  const place = hostPlaceOf(target.place);
  const settings = fillHostSettings(behaviour, {
    git_tag: snapshot.version.git_tag,
    git_commit: snapshot.version.git_commit,
    version: content.version,
    environment: snapshot.environment.name,
    application: application.name,
    host: place.host,
    instance_id: target.instance_id,
    release_path: `${place.deploy_path}/releases/${releaseDirOf(content.version, content.id)}`,
    ...(port === undefined ? {} : { port: String(port) }),
    ...(content.artifact_sha256 === null ? {} : { artifact_sha256: content.artifact_sha256 }),
    ...(content.image === null ? {} : { image: content.image }),
  });
  return { settings, host };
}

/**
 * The host of a target: the one whose instance has its id; or else the one at its place, as ids hold
 * names, and the environment may have been given another since.
 */
function hostOf(login: PhysicalConnection, target: TargetRow, names: InstanceNames): ResolvedHost {
  const named = login.hosts.find((each) => instanceIdOf(names, each) === target.instance_id);
  if (named) return named;
  const place = hostPlaceOf(target.place);
  const [there, another] = login.hosts.filter(
    ({ host, port }) => host === place.host && port === place.port,
  );
  if (there && !another) return there;
  throw new VerdictError(`Instance ${target.instance_id} is no longer a host of the environment`);
}

/**
 * The folders of the newest healthy releases, the last good one and the one that runs: never pruned.
 * A release that failed does not count and goes with the next success.
 */
export async function dirsToKeep(
  database: Database,
  { target, settings }: InstanceContext,
): Promise<string[]> {
  // The one that is being released becomes one of them.
  const healthy = Math.max(0, settings.keepReleases - 1);
  const releases = await database.transaction((tx) => releasesToKeep(tx, target, healthy));
  return releases.map(({ id, version }) => releaseDirOf(version, id));
}
