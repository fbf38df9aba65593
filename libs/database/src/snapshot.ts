import { configKey } from '@floy/contracts';
import type { Sealer } from '@floy/secrets/sealing';
import type { DeploymentRow } from './rows.js';
import type { Transaction } from './transaction.js';
import { createApplicationRepository } from './repositories/applications.js';
import { createEnvironmentRepository } from './repositories/environments.js';
import { createVersionRepository } from './repositories/versions.js';

type Config = Record<string, unknown>;

/**
 * All that a deployment was asked to do, fixed at its admission and sealed: what is changed in the
 * applications or the environment later changes the next deployment. Connection keys are not part
 * of it: how hosts are reached is always today's.
 */
export interface Snapshot {
  version: { id: string; git_tag: string; git_commit: string; repository: string };
  environment: { id: string; name: string; type: 'kubernetes' | 'physical'; config: Config };
  applications: { id: string; name: string; repository: string; type: string; config: Config }[];
}

/** Reads today's settings of everything that a deployment names. */
export async function takeSnapshot(
  tx: Transaction,
  sealer: Sealer,
  deployment: DeploymentRow,
): Promise<Snapshot> {
  const version = await createVersionRepository(tx.knex).getById(deployment.version_id);
  const environment = await createEnvironmentRepository(tx.knex, sealer).getById(
    deployment.environment_id,
  );
  const ids = await tx.rows<{ application_id: string }>(
    'SELECT application_id FROM deployment_applications WHERE deployment_id = ? ORDER BY position',
    [deployment.id],
  );
  const repository = createApplicationRepository(tx.knex, sealer);
  const applications: Snapshot['applications'] = [];
  for (const { application_id } of ids) {
    const { id, name, repository: source, type, config } = await repository.getById(application_id);
    applications.push({ id, name, repository: source, type, config });
  }
  const { id, git_tag, git_commit, repository: source } = version;
  return {
    version: { id, git_tag, git_commit, repository: source },
    environment: {
      id: environment.id,
      name: environment.name,
      type: environment.type,
      config: behaviourOf(environment.config),
    },
    applications,
  };
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
