import {
  ApproveHostKeyRequest,
  CommandResultsResponse,
  HostKey,
  RestartServiceRequest,
  RunCommandRequest,
  ServiceStatusQuery,
  ServiceStatusResponse,
  UploadArtifactRequest,
} from '@floy/contracts';
import { applicationOfService, artifactSize } from '@floy/database/read-models/services';
import { approveHostKey } from '@floy/database/repositories/host-keys';
import type { Scope } from '../scope.js';
import { hostsOf, requirePhysical, sshPortOf } from '../services/hosts.js';
import { ask } from '../services/questions.js';
import { route } from './route.js';

const tag = 'Hosts';
/** How long a question may take where its request does not say. Seconds. */
const TIMEOUT = 10;

async function physical(scope: Scope, id: string, hosts: readonly string[] = []) {
  const environment = await scope.environments.getEnvironment(id);
  requirePhysical(environment);
  return { environment, hosts: hostsOf(environment, hosts) };
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
      const { hosts } = await physical(scope, id, named);
      const applicationId = await applicationOfService(scope.knex, id, service);
      const timeout = query.timeout ?? TIMEOUT;
      const question = { kind: 'service-status', service, applicationId, hosts, timeout } as const;
      const answered = await ask(scope, id, question);
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
      const { hosts } = await physical(scope, id, body.hosts);
      const applicationId = await applicationOfService(scope.knex, id, service);
      const timeout = body.timeout ?? TIMEOUT;
      const question = { kind: 'restart-service', service, applicationId, hosts, timeout } as const;
      const answered = await ask(scope, id, question);
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
      const { hosts } = await physical(scope, id, body.hosts);
      const timeout = body.timeout ?? TIMEOUT;
      const answered = await ask(scope, id, { kind: 'run-command', command, hosts, timeout });
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
      const { hosts } = await physical(scope, id, body.hosts);
      await artifactSize(scope.knex, sha256);
      const applicationId =
        service === undefined ? null : await applicationOfService(scope.knex, id, service);
      const timeout = body.timeout ?? TIMEOUT;
      const question = { kind: 'upload-artifact', sha256, applicationId, hosts, timeout } as const;
      const answered = await ask(scope, id, question);
      return { later: async () => ({ body: { results: await answered() } }) };
    },
  }),
  route({
    method: 'POST',
    path: '/environments/{id}/host-keys',
    role: 'admin',
    summary: 'Accept the key of a host, from now on as the only one',
    tag,
    body: ApproveHostKeyRequest,
    status: 201,
    answer: HostKey,
    async handle(scope, { params: { id }, body }) {
      const port = body.port;
      const name = port === undefined ? body.host : `${body.host}:${port}`;
      const { environment } = await physical(scope, id, [name]);
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
