import { Type } from 'typebox';

const secret = { secret: true };
const Port = (description: string, standard: number) =>
  Type.Integer({ minimum: 0, maximum: 65_535, default: standard, description });
const YesOrNo = (standard: 'yes' | 'no', description: string) =>
  Type.Enum(['yes', 'no'], { type: 'string', default: standard, description });

/**
 * Every environment variable of Floy's processes, once. A service's `config.ts` picks those that it
 * reads: `Type.Object({ ...coreSettings, FLOY_PORT: settings.FLOY_PORT })`.
 */
export const settings = {
  FLOY_HOME: Type.String({ description: 'data folder; default .floy in the clone' }),
  FLOY_HOST: Type.String({
    default: '127.0.0.1',
    description:
      'address the gateway listens on; 0.0.0.0 opens it to the network, where tokens travel in clear',
  }),
  FLOY_PORT: Port('port of the gateway, 0 picks one', 8080),
  FLOY_OPS_HOST: Type.String({
    default: '127.0.0.1',
    description: 'address that health and metrics are served on',
  }),
  FLOY_OPS_PORT: Port('port of health and metrics of a process, 0 picks one', 0),
  FLOY_LOG_LEVEL: Type.Enum(['debug', 'info', 'warn', 'error'], {
    type: 'string',
    default: 'info',
    description: 'least level that is logged',
  }),
  FLOY_DATABASE_URL: Type.String({
    format: 'postgres-url',
    description:
      'the Postgres, directly: workers hold locks of sessions, which a pooler would mix up. Outside of TLS with a verified certificate only SCRAM is spoken',
  }),
  FLOY_REDIS_URL: Type.String({
    format: 'redis-url',
    description:
      'the queue; without it the queue is in Postgres. The password travels in clear but for rediss',
  }),
  FLOY_ADMIN_TOKEN: Type.String({
    minLength: 20,
    description: 'the first admin token',
    ...secret,
  }),
  FLOY_ENCRYPTION_KEY: Type.String({
    format: 'encryption-keys',
    description: '32 bytes in base64, old ones after it',
    ...secret,
  }),
  FLOY_GITHUB_WEBHOOK_SECRET: Type.String({
    description: 'one a line, optionally owner/name=secret',
    ...secret,
  }),
  FLOY_GITHUB_TOKEN: Type.String({ description: 'for the API of GitHub', ...secret }),
  FLOY_GITHUB_API_URL: Type.String({
    format: 'http-url',
    default: 'https://api.github.com',
    description: 'the API of GitHub',
  }),
  FLOY_ARTIFACTS: Type.String({ description: 'folder of the artifact store' }),
  FLOY_PUBLIC_URL: Type.String({
    format: 'http-url',
    description: 'where hosts reach the gateway; needed for `transfer: pull`',
  }),
  FLOY_BUILD_USERS: Type.String({
    default: '2100000000-2100004095',
    description:
      'numbers of users that builds run as where Floy runs as root, each one of its own; ' +
      'nobody else on the machine may have them',
  }),
  FLOY_BUILD_UNCONFINED: YesOrNo(
    'no',
    'whether builds run also where this machine cannot keep them apart from each other and from it',
  ),
  FLOY_PRIVATE_GIT: YesOrNo(
    'yes',
    'whether git may fetch from private addresses, by https and ssh',
  ),
  FLOY_PACKAGE_HOSTS: Type.String({
    default: '',
    description: 'hosts with private addresses that packages may come from, separated by commas',
  }),
  FLOY_WEBHOOK_INGEST_URL: Type.String({
    format: 'http-url',
    description: 'where the gateway hands webhooks on to',
  }),
};

/** What every service process reads. Only the queue may be left out: it is in Postgres then. */
export const coreSettings = {
  FLOY_OPS_HOST: settings.FLOY_OPS_HOST,
  FLOY_OPS_PORT: settings.FLOY_OPS_PORT,
  FLOY_LOG_LEVEL: settings.FLOY_LOG_LEVEL,
  FLOY_DATABASE_URL: settings.FLOY_DATABASE_URL,
  FLOY_REDIS_URL: Type.Optional(settings.FLOY_REDIS_URL),
  FLOY_ENCRYPTION_KEY: settings.FLOY_ENCRYPTION_KEY,
};

/** What a process needs to be run at all: see `run-service.ts`. */
export const processSettings = {
  FLOY_OPS_HOST: settings.FLOY_OPS_HOST,
  FLOY_OPS_PORT: settings.FLOY_OPS_PORT,
  FLOY_LOG_LEVEL: settings.FLOY_LOG_LEVEL,
};
