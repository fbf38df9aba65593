import { configKey, type BuildNames, type Version } from '@floy/contracts';
import { InvalidRequestError, NotFoundError } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';
import { openApplication, type ApplicationRow } from './repositories/applications.js';
import { openEnvironment, type EnvironmentRow } from './repositories/environments.js';
import type { DeploymentRow } from './rows.js';
import { rowOf, rowsOf } from './statement.js';
import type { Transaction } from './transaction.js';

type Config = Record<string, unknown>;

/**
 * All that a deployment was asked to do, fixed at its admission and sealed: what is changed in the
 * applications or the environment later changes the next deployment. Connection keys are not part
 * of it: how targets are reached is always today's.
 */
export interface Snapshot {
  version: { id: string | null; git_tag: string; git_commit: string; repository: string };
  environment: { id: string; name: string; type: string; config: Config };
  applications: { id: string; name: string; repository: string; type: string; config: Config }[];
}

/**
 * Reads today's settings of everything that a deployment names: the snapshot, and the environment's
 * whole config with the connection keys that are not part of it.
 */
export async function takeSnapshot(
  tx: Transaction,
  sealer: Sealer,
  deployment: DeploymentRow,
  applicationIds: readonly string[],
): Promise<{ snapshot: Snapshot; today: Config }> {
  const [version, environmentRow, rows] = await tx.together(
    rowOf<Version>('SELECT * FROM versions WHERE id = ?', [deployment.version_id]),
    rowOf<EnvironmentRow>('SELECT * FROM environments WHERE id = ?', [deployment.environment_id]),
    rowsOf<ApplicationRow>('SELECT * FROM applications WHERE id = ANY(?)', [applicationIds]),
  );
  if (!version) throw new InvalidRequestError(`Deployment ${deployment.id} names no version`);
  if (!environmentRow)
    throw new NotFoundError(`There is no environment ${deployment.environment_id}`);
  const environment = openEnvironment(sealer, environmentRow);
  const { id, git_tag, git_commit, repository } = version;
  const snapshot = {
    version: { id, git_tag, git_commit, repository },
    environment: {
      id: environment.id,
      name: environment.name,
      type: environment.type,
      config: behaviourOf(environment.config),
    },
    applications: applicationIds.map((applicationId) => {
      const row = rows.find((each) => each.id === applicationId);
      if (!row) throw new NotFoundError(`There is no application ${applicationId}`);
      const { name, type, config, repository: from } = openApplication(sealer, row);
      return { id: applicationId, name, repository: from, type, config };
    }),
  };
  return { snapshot, today: environment.config };
}

/** What templates of an application's build may name. */
export function buildNamesOf(
  { version, environment }: Snapshot,
  { name }: Snapshot['applications'][number],
): BuildNames {
  const { git_tag, git_commit } = version;
  return { git_tag, git_commit, environment: environment.name, application: name };
}

export function sealSnapshot(sealer: Sealer, deploymentId: string, snapshot: Snapshot): Buffer {
  return sealer.seal(JSON.stringify(snapshot), placeOf(deploymentId));
}

/** Throws where there is none yet, or where it was tampered with. */
export function openSnapshot(
  sealer: Sealer,
  deploymentId: string,
  sealed: Buffer | null,
): Snapshot {
  if (!sealed) throw new Error(`deployment ${deploymentId} has no snapshot`);
  return JSON.parse(sealer.open(sealed, placeOf(deploymentId)).toString('utf8')) as Snapshot;
}

function placeOf(deploymentId: string): string {
  return `deployments.snapshot:${deploymentId}`;
}

function behaviourOf(config: Config): Config {
  return Object.fromEntries(
    Object.entries(config).filter(([name]) => !configKey(name)?.connection),
  );
}
