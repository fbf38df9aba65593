import type { CommandResult, Environment, PhysicalDeployer, ServiceStatus } from '@floy/contracts';
import { accessTo } from '@floy/database/access';
import { applicationOfService } from '@floy/database/read-models/services';
import { ConflictError, messageOf } from '@floy/domain';
import { redactorOf } from '@floy/managers/secrets-of';
import { createDeployer } from '@floy/managers/deployer';
import { basename } from 'node:path';
import { askedHosts, type AskedHost } from './questions/asked-hosts.js';
import { commandOn } from './questions/command-on.js';
import { restartService, serviceStatus } from './questions/service-commands.js';
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
 * hosts and is a ConflictError while a release has them.
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

  return {
    ...createDeployer(accessTo(database)),

    async uploadArtifact(hosts, artifact) {
      const to = asked(hosts);
      const of = { environmentId, applicationId: action.applicationId ?? null };
      const sha256 = basename(artifact.path);
      return withTargets(deps, of, to, signal, (targets, within) =>
        each(to, (host) => uploadArtifact(deps, host, targets, sha256, within), failed),
      );
    },

    async executeCommand(hosts, command) {
      const to = asked(hosts);
      const of = { environmentId, applicationId: null };
      return withTargets(deps, of, to, signal, (_targets, within) =>
        each(to, (host) => commandOn(deps, host, command, timeoutSeconds, within), failed),
      );
    },

    async restartService(hosts, serviceName) {
      const of = await serviceOf(serviceName);
      const to = asked(hosts);
      const redactor = await redactorOf(accessTo(deps.database), deps.sealer, environment);
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
