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

/**
 * Reads today's settings of everything that a deployment names: the snapshot, and the environment's
 * whole config with the connection keys that are not part of it.
 */
export async function takeSnapshot(
  { knex }: Transaction,
  sealer: Sealer,
  deployment: DeploymentRow,
  applicationIds: readonly string[],
): Promise<{ snapshot: Snapshot; today: Config }> {
  const applications = createApplicationRepository(knex, sealer);
  const [version, environment, ...named] = await Promise.all([
    createVersionRepository(knex).getById(deployment.version_id),
    createEnvironmentRepository(knex, sealer).getById(deployment.environment_id),
    ...applicationIds.map((id) => applications.getById(id)),
  ]);
  const { id, git_tag, git_commit, repository } = version;
  const snapshot = {
    version: { id, git_tag, git_commit, repository },
    environment: {
      id: environment.id,
      name: environment.name,
      type: environment.type,
      config: behaviourOf(environment.config),
    },
    applications: named.map((each) => ({
      id: each.id,
      name: each.name,
      repository: each.repository,
      type: each.type,
      config: each.config,
    })),
  };
  return { snapshot, today: environment.config };
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
