import {
  ApproveHostKeyRequest,
  CommandResultsResponse,
  HostKey,
  PinnedKeysResponse,
  RestartServiceRequest,
  RunCommandRequest,
  ServiceStatusQuery,
  ServiceStatusResponse,
  UploadArtifactRequest,
  type CommandResult,
  type PhysicalQuestion,
  type ServiceStatus,
} from '@floy/contracts';
import { applicationOfService, artifactSize } from '@floy/database/read-models/services';
import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import { approveHostKey, listPinnedKeys } from '@floy/database/repositories/host-keys';
import { redactorOf } from '@floy/managers/secrets-of';
import type { Scope } from '../scope.js';
import { hostsOf, sshPlacesOf, sshPortOf } from '../services/hosts.js';
import { ask, changesTargets } from '../services/questions.js';
import { shownCommand } from '../services/shown-command.js';
import { route } from './route.js';

const tag = 'Hosts';
/** How long a question may take where its request does not say. Seconds. */
const TIMEOUT = 10;

/** The environment, and the hosts of it that are named; 400 where it answers no such question. */
async function hostsAsked(
  scope: Scope,
  id: string,
  kind: PhysicalQuestion['kind'],
  named: readonly string[] = [],
) {
  const environment = await scope.environments.getEnvironment(id);
  changesTargets(scope.deps.database.catalogues.deployers, environment, kind);
  return { environment, hosts: hostsOf(environment, named) };
}

export const hostRoutes = [
  route({
    method: 'GET',
    path: '/environments/{id}/services/{service}/status',
    role: 'viewer',
    summary: 'Ask hosts whether a service runs',
    tag,
    query: ServiceStatusQuery,
    answer: ServiceStatusResponse,
    async handle(scope, { params: { id, service }, query }) {
      const named = query.hosts?.split(',').map((host) => host.trim());
      const { environment, hosts } = await hostsAsked(scope, id, 'service-status', named);
      const applicationId = await applicationOfService(scope.knex, id, service);
      const timeout = query.timeout ?? TIMEOUT;
      const question = { kind: 'service-status', service, applicationId, hosts, timeout } as const;
      const answered = await ask<ServiceStatus[]>(scope, environment, question);
      return { later: async () => ({ body: { service, statuses: await answered() } }) };
    },
  }),
  route({
    method: 'POST',
    path: '/environments/{id}/services/{service}/restart',
    role: 'deployer',
    summary: 'Restart a service on hosts',
    tag,
    body: RestartServiceRequest,
    answer: CommandResultsResponse,
    async handle(scope, { params: { id, service }, body }) {
      const { environment, hosts } = await hostsAsked(scope, id, 'restart-service', body.hosts);
      const applicationId = await applicationOfService(scope.knex, id, service);
      const timeout = body.timeout ?? TIMEOUT;
      const question = { kind: 'restart-service', service, applicationId, hosts, timeout } as const;
      const answered = await ask<CommandResult[]>(scope, environment, question);
      return { later: async () => ({ body: { results: await answered() } }) };
    },
  }),
  route({
    method: 'POST',
    path: '/environments/{id}/commands',
    role: 'admin',
    summary: 'Run a command on hosts',
    tag,
    body: RunCommandRequest,
    answer: CommandResultsResponse,
    async handle(scope, { params: { id }, body: { command, ...body } }) {
      const { environment, hosts } = await hostsAsked(scope, id, 'run-command', body.hosts);
      const timeout = body.timeout ?? TIMEOUT;
      const question = { kind: 'run-command', command, hosts, timeout } as const;
      const { config } = await createEnvironmentRepository(scope.knex, scope.deps.sealer).getById(
        id,
      );
      const redactor = await redactorOf(scope, scope.deps.sealer, { id, config });
      Object.assign(scope.remarks, { command: shownCommand(command, redactor), hosts });
      const answered = await ask<CommandResult[]>(scope, environment, question);
      return { later: async () => ({ body: { results: await answered() } }) };
    },
  }),
  route({
    method: 'POST',
    path: '/environments/{id}/artifacts',
    role: 'deployer',
    summary: 'Send an artifact to hosts ahead of a deployment',
    tag,
    body: UploadArtifactRequest,
    answer: CommandResultsResponse,
    async handle(scope, { params: { id }, body: { sha256, service, ...body } }) {
      const { environment, hosts } = await hostsAsked(scope, id, 'upload-artifact', body.hosts);
      await artifactSize(scope.knex, sha256);
      const applicationId =
        service === undefined ? null : await applicationOfService(scope.knex, id, service);
      const timeout = body.timeout ?? TIMEOUT;
      const question = { kind: 'upload-artifact', sha256, applicationId, hosts, timeout } as const;
      const answered = await ask<CommandResult[]>(scope, environment, question);
      return { later: async () => ({ body: { results: await answered() } }) };
    },
  }),
  route({
    method: 'GET',
    path: '/environments/{id}/host-keys',
    role: 'viewer',
    summary: 'The keys by which the hosts of an environment are known',
    tag,
    answer: PinnedKeysResponse,
    async handle({ environments, knex }, { params: { id } }) {
      const environment = await environments.getEnvironment(id);
      return { body: { host_keys: await listPinnedKeys(knex, sshPlacesOf(environment)) } };
    },
  }),
  route({
    method: 'POST',
    path: '/environments/{id}/host-keys',
    role: 'admin',
    summary: 'Accept the key of a host, from now on as the only one, in all environments',
    tag,
    body: ApproveHostKeyRequest,
    status: 201,
    answer: HostKey,
    async handle(scope, { params: { id }, body }) {
      const port = body.port;
      const address = body.host.includes(':') ? `[${body.host}]` : body.host;
      const name = port === undefined ? body.host : `${address}:${port}`;
      const { environment } = await hostsAsked(scope, id, 'run-command', [name]);
      const place = {
        environmentId: id,
        host: body.host,
        port: port ?? sshPortOf(environment, body.host),
      };
      const { fingerprint } = body;
      const key = await scope.transact((tx) =>
        approveHostKey(tx, place, fingerprint, scope.actor.name),
      );
      return { body: key };
    },
  }),
];
