import type {
  CommandResult,
  DeployResult,
  Environment,
  PhysicalDeployer,
  ServiceStatus,
} from '@floy/contracts';
import { readDeploymentInfo, readHealth } from '@floy/database/read-models/instances';
import { applicationOfService } from '@floy/database/read-models/services';
import { advanceDeployment } from '@floy/database/transitions/advance';
import { rollbackDeployment } from '@floy/database/transitions/rollback-deployment';
import { ConflictError, messageOf, NotFoundError } from '@floy/domain';
import { basename } from 'node:path';
import { askedHosts, type AskedHost } from './questions/asked-hosts.js';
import { commandOn } from './questions/command-on.js';
import { restartService, serviceStatus } from './questions/service-commands.js';
import { redactorOf } from './questions/secrets-of.js';
import { uploadArtifact } from './questions/upload-artifact.js';
import { withTargets } from './questions/with-targets.js';
import type { DeployerDeps } from './release/deployer-deps.js';

/** On whose behalf hosts are asked, and for how long. */
export interface DeployerAction {
  /** Names it in the journals of hosts; its repetition under the same id does nothing twice. */
  readonly id: string;
  readonly environment: Environment;
  /** Sends artifacts below the places of this application only. */
  readonly applicationId?: string;
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

/**
 * The seeds' PhysicalDeployer for one environment. What changes something holds the targets on the
 * hosts and is a ConflictError while a release has them. Deployments and rollbacks are carried out by
 * messages, so that no process has to live through them: those calls answer how far it is.
 */
export function createPhysicalDeployer(
  deps: DeployerDeps,
  action: DeployerAction,
): PhysicalDeployer {
  const { database } = deps;
  const { environment, signal, timeoutSeconds } = action;
  const environmentId = environment.id;
  const asked = (hosts: readonly string[]) => askedHosts(deps, environment, { hosts }, signal);
  const serviceOf = async (name: string) => ({
    environmentId,
    applicationId: await applicationOfService(database.knex, environmentId, name),
  });

  async function resultOf(deploymentId: string): Promise<DeployResult> {
    const info = await readDeploymentInfo(database.knex, deploymentId);
    const { message, checks } = await readHealth(database.knex, deploymentId);
    return {
      success: info.status === 'success',
      message: `Deployment ${deploymentId} is ${info.status}: ${message}`,
      deploymentId,
      details: { ...info, checks },
    };
  }

  return {
    /** Hands out what of the deployment is ready to go to hosts; does nothing where that was done. */
    async deploy({ deploymentId }) {
      await database.transaction((tx) => advanceDeployment(tx, deploymentId));
      return resultOf(deploymentId);
    },

    /** Makes the deployment that returns to what an earlier one brought, and answers for that. */
    async rollback({ deploymentId, targetDeploymentId }) {
      const rollback = await database.transaction(async (tx) => {
        const target = await tx.row<{ version_id: string }>(
          'SELECT version_id FROM deployments WHERE id = ? AND environment_id = ?',
          [targetDeploymentId, environmentId],
        );
        if (!target) throw new NotFoundError(`There is no deployment ${targetDeploymentId} here`);
        const options = { targetVersionId: target.version_id, actor: 'deployer' };
        return rollbackDeployment(tx, deploymentId, options);
      });
      return resultOf(rollback.id);
    },

    getDeploymentInfo: (deploymentId) => readDeploymentInfo(database.knex, deploymentId),
    healthCheck: (deploymentId) => readHealth(database.knex, deploymentId),

    uploadArtifact(hosts, artifact) {
      const to = asked(hosts);
      const of = { environmentId, applicationId: action.applicationId ?? null };
      const sha256 = basename(artifact.path);
      return withTargets(deps, of, to, signal, (targets, within) =>
        each(to, (host) => uploadArtifact(deps, host, targets, sha256, within), failed),
      );
    },

    executeCommand(hosts, command) {
      const to = asked(hosts);
      const of = { environmentId, applicationId: null };
      return withTargets(deps, of, to, signal, (_targets, within) =>
        each(to, (host) => commandOn(deps, host, command, timeoutSeconds, within), failed),
      );
    },

    async restartService(hosts, serviceName) {
      const of = await serviceOf(serviceName);
      const to = asked(hosts);
      const redactor = await redactorOf(deps, environment);
      return withTargets(deps, of, to, signal, (targets, within) => {
        const { id } = action;
        const restart = { id, targets, redactor, signal: within, timeoutSeconds };
        return each(to, (host) => restartService(deps, host, of, restart), failed);
      });
    },

    async checkServiceStatus(hosts, serviceName) {
      const of = await serviceOf(serviceName);
      return each(
        asked(hosts),
        (host) => serviceStatus(deps, host, of, timeoutSeconds),
        notRunning,
      );
    },
  };
}

/** All hosts at once. */
function each<T>(
  asked: AskedHost[],
  act: (host: AskedHost) => Promise<T>,
  said: (host: AskedHost, error: unknown) => T,
): Promise<T[]> {
  return Promise.all(asked.map((host) => act(host).catch((error: unknown) => said(host, error))));
}

function failed(asked: AskedHost, error: unknown): CommandResult {
  return { host: asked.name, success: false, output: '', error: messageOf(error) };
}

function notRunning(asked: AskedHost, error: unknown): ServiceStatus {
  const reason = messageOf(error);
  const status = error instanceof ConflictError ? `not deployed: ${reason}` : `unknown: ${reason}`;
  return { host: asked.name, running: false, status, pid: 0, uptime: '' };
}
