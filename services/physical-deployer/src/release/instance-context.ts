import {
  fillHostSettings,
  hostConnection,
  instanceIdOf,
  resolvePhysicalConnection,
  resolvePhysicalSettings,
  type PhysicalConnection,
} from '@floy/contracts';
import type { Database } from '@floy/database/database';
import { openEnvironment, type EnvironmentRow } from '@floy/database/repositories/environments';
import type { InstanceRow, ReleaseRow, TargetRow } from '@floy/database/rows';
import { openSnapshot, type Snapshot } from '@floy/database/snapshot';
import type { Transaction } from '@floy/database/transaction';
import { VerdictError, type HostConnection, type HostSettings } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';

/** All that the work on one instance of a release needs to know. */
export interface InstanceContext {
  instance: InstanceRow;
  release: ReleaseRow;
  target: TargetRow;
  /** What is put there: the release itself, or the earlier one that is returned to. */
  content: ReleaseRow;
  contentDir: string;
  version: string;
  settings: HostSettings;
  connection: HostConnection;
  login: PhysicalConnection;
}

/** The folder of a release below `releases/`: the version for people, the id to be unique. */
export function releaseDirOf(version: string, releaseId: string): string {
  return `${version.replace(/[^A-Za-z0-9._+-]/g, '-').replace(/^[^A-Za-z0-9]+/, '')}-${releaseId}`;
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
  const { instance, release, target, content, environment } = await database.transaction((tx) =>
    readRows(tx, sealer, instanceId),
  );
  const snapshot = openSnapshot(sealer, content.deployment_id, content.snapshot);
  const login = resolvePhysicalConnection(environment.config);
  const { settings, host } = hostSettings(snapshot, content, target, login, release.service);
  return {
    instance,
    release,
    target,
    content,
    contentDir: releaseDirOf(snapshot.version.git_tag, content.id),
    version: snapshot.version.git_tag,
    settings: {
      ...settings,
      deployPath: target.deploy_path,
      timeoutSeconds: release.timeout_seconds,
    },
    connection: hostConnection(login, host),
    login,
  };
}

/** All rows in one trip. */
async function readRows(tx: Transaction, sealer: Sealer, instanceId: string) {
  const of = 'FROM release_instances i JOIN releases r ON r.id = i.release_id';
  const [instance, release, target, content, environment] = await Promise.all([
    tx.row<InstanceRow>('SELECT * FROM release_instances WHERE id = ?', [instanceId]),
    tx.row<ReleaseRow>(`SELECT r.* ${of} WHERE i.id = ?`, [instanceId]),
    tx.row<TargetRow>(`SELECT t.* ${of} JOIN targets t ON t.id = i.target_id WHERE i.id = ?`, [
      instanceId,
    ]),
    tx.row<ReleaseRow>(
      `SELECT c.* ${of} JOIN releases c ON c.id = i.content_release_id WHERE i.id = ?`,
      [instanceId],
    ),
    tx.row<EnvironmentRow>(
      `SELECT e.* ${of} JOIN environments e ON e.id = r.environment_id WHERE i.id = ?`,
      [instanceId],
    ),
  ]);
  if (!instance || !release || !target || !content || !environment) {
    throw new VerdictError(`There is no instance ${instanceId} any more`);
  }
  return {
    ...{ instance, release, target, content },
    environment: openEnvironment(sealer, environment),
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
  const host = login.hosts.find((each) => instanceIdOf(service, each) === target.instance_id);
  if (!host)
    throw new VerdictError(`Instance ${target.instance_id} is no longer a host of the environment`);
  const behaviour = resolvePhysicalSettings(snapshot.environment.config, application.config);
  const port = host.servicePort ?? behaviour.servicePort;
  const dir = releaseDirOf(snapshot.version.git_tag, content.id);
  const settings = fillHostSettings(behaviour, {
    git_tag: snapshot.version.git_tag,
    git_commit: snapshot.version.git_commit,
    version: snapshot.version.git_tag,
    environment: snapshot.environment.name,
    application: application.name,
    host: target.host,
    instance_id: target.instance_id,
    release_path: `${target.deploy_path}/releases/${dir}`,
    ...(port === undefined ? {} : { port: String(port) }),
    ...(content.artifact_sha256 === null ? {} : { artifact_sha256: content.artifact_sha256 }),
  });
  return { settings, host };
}

/**
 * The newest healthy releases, the last good one and what runs now: never pruned, whatever their age
 * (law 7). A release that failed does not count and goes with the next success.
 */
export async function dirsToKeep(
  database: Database,
  { target, settings }: InstanceContext,
): Promise<string[]> {
  const healthy = (await database
    .knex('healthy_releases')
    .where({ target_id: target.id })
    .orderBy('healthy_at', 'desc')
    // What is being released becomes one of them.
    .limit(Math.max(0, settings.keepReleases - 1))
    .select('release_id')) as { release_id: string }[];
  const ids = [
    ...healthy.map(({ release_id }) => release_id),
    target.last_good_release_id,
    target.current_release_id,
  ].filter((id) => id !== null);
  if (ids.length === 0) return [];
  const rows = (await database
    .knex('releases')
    .join('versions', 'versions.id', 'releases.version_id')
    .whereIn('releases.id', ids)
    .select('releases.id', 'versions.git_tag')) as { id: string; git_tag: string }[];
  return rows.map(({ id, git_tag }) => releaseDirOf(git_tag, id));
}
