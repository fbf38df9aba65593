import { Type, type Static } from 'typebox';
import { Answer, Closed, RequiredText } from '../schema-words.js';

/** What one host answered to a command. */
export const CommandResult = Answer('CommandResult', {
  host: Type.String(),
  success: Type.Boolean(),
  output: Type.String(),
  error: Type.String(),
});
export type CommandResult = Static<typeof CommandResult>;

/** What one host says of a service; `pid` is 0 and `uptime` "" where it does not run. */
export const ServiceStatus = Answer('ServiceStatus', {
  host: Type.String(),
  running: Type.Boolean(),
  status: Type.String(),
  pid: Type.Integer(),
  uptime: Type.String(),
});
export type ServiceStatus = Static<typeof ServiceStatus>;

/** A file for hosts: `path` is where it lies in the artifact store, named by its sha256. */
export const Artifact = Answer('Artifact', {
  name: Type.String(),
  version: Type.String(),
  path: Type.String(),
  size: Type.Integer(),
});
export type Artifact = Static<typeof Artifact>;

const Hosts = Type.Optional(
  Type.Array(RequiredText, {
    minItems: 1,
    maxItems: 1000,
    uniqueItems: true,
    description: 'hosts of the environment, as `host` or `host:port`; all of them when left out',
  }),
);
const Timeout = Type.Optional(Type.Integer({ minimum: 1, maximum: 300, default: 10 }));

export const RunCommandRequest = Closed(
  {
    hosts: Hosts,
    command: Type.String({ minLength: 1, maxLength: 65_536, pattern: '\\S' }),
    timeout: Timeout,
  },
  'RunCommandRequest',
);
export type RunCommandRequest = Static<typeof RunCommandRequest>;

export const RestartServiceRequest = Closed(
  { hosts: Hosts, timeout: Timeout },
  'RestartServiceRequest',
);
export type RestartServiceRequest = Static<typeof RestartServiceRequest>;

/** Sends an artifact of the store to hosts of the environment, ahead of a deployment. */
export const UploadArtifactRequest = Closed(
  {
    hosts: Hosts,
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
    service: Type.Optional(RequiredText),
    timeout: Timeout,
  },
  'UploadArtifactRequest',
);
export type UploadArtifactRequest = Static<typeof UploadArtifactRequest>;

/** `hosts` in a query is a comma-separated list. */
export const ServiceStatusQuery = Closed(
  { hosts: Type.Optional(RequiredText), timeout: Timeout },
  'ServiceStatusQuery',
);
export type ServiceStatusQuery = Static<typeof ServiceStatusQuery>;

export const CommandResultsResponse = Answer('CommandResultsResponse', {
  results: Type.Array(CommandResult),
});
export type CommandResultsResponse = Static<typeof CommandResultsResponse>;

export const ServiceStatusResponse = Answer('ServiceStatusResponse', {
  service: Type.String(),
  statuses: Type.Array(ServiceStatus),
});
export type ServiceStatusResponse = Static<typeof ServiceStatusResponse>;
