import {
  deployPathOf,
  hostConnection,
  instanceIdOf,
  resolvePhysicalConnection,
  resolvePhysicalSettings,
  serviceNameOf,
  type PhysicalConnection,
  type PhysicalQuestion,
  type ResolvedHost,
} from '@floy/contracts';
import { createApplicationRepository } from '@floy/database/repositories/applications';
import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import { InvalidRequestError } from '@floy/domain';
import type { DeployerDeps } from '../release/deployer-deps.js';
import { verifyHostKey } from '../release/verify-host-key.js';
import type { HostReach } from '../rollout/host-work.js';

/** A host that a question goes to. */
export interface AskedHost {
  /** As the answer names it: `host` or, where the port is not 22, `host:port`. */
  readonly name: string;
  readonly reach: HostReach;
  readonly host: ResolvedHost;
}

/**
 * The hosts that a question names, all of the environment's where it names none. Throws
 * InvalidRequestError for one that the environment does not have.
 */
export async function askedHosts(
  deps: DeployerDeps,
  environmentId: string,
  question: PhysicalQuestion,
  signal: AbortSignal,
): Promise<AskedHost[]> {
  const environment = await createEnvironmentRepository(deps.database.knex, deps.sealer).getById(
    environmentId,
  );
  const login = resolvePhysicalConnection(environment.config);
  const named =
    question.hosts.length === 0
      ? login.hosts
      : question.hosts.map((name) => hostNamed(login, name));
  return named.map((host) => {
    const connection = hostConnection(login, host);
    const place = { environmentId, host: host.host, port: host.port };
    const verify = verifyHostKey(deps.database, place, login);
    return {
      name: host.port === 22 ? host.host : `${host.host}:${host.port}`,
      host,
      reach: { connection, retryCount: 0, verifyHostKey: verify, signal },
    };
  });
}

function hostNamed(login: PhysicalConnection, name: string): ResolvedHost {
  const found = login.hosts.find(({ host, port }) => name === `${host}:${port}` || name === host);
  if (found) return found;
  throw new InvalidRequestError(`${name} is not a host of the environment`, {
    hosts: `${name} is not one of them`,
  });
}

/** What an application's service is on a host: its commands filled in, where it lives. */
export async function serviceOn(
  deps: DeployerDeps,
  environmentId: string,
  applicationId: string,
  host: ResolvedHost,
) {
  const { knex } = deps.database;
  const environment = await createEnvironmentRepository(knex, deps.sealer).getById(environmentId);
  const application = await createApplicationRepository(knex, deps.sealer).getById(applicationId);
  const settings = resolvePhysicalSettings(environment.config, application.config);
  const names = { environment: environment.name, application: application.name, host: host.host };
  const service = serviceNameOf(settings, names);
  const port = host.servicePort ?? settings.servicePort;
  const values = {
    ...names,
    service,
    instance_id: instanceIdOf(service, host),
    ...(port === undefined ? {} : { port: String(port) }),
  };
  return { settings, values, service, deployPath: deployPathOf(settings, values) };
}
