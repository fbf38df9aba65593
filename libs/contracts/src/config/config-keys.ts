import type { EnvironmentType } from '../resources/environment.js';
import type { ValueKind } from './value-kinds.js';
import { flag, listOf, oneOf, variables, whole } from './value-kinds.js';
import { approval } from './approval.js';
import { autoDeployRule } from './auto-deploy.js';
import { batchSize, failureShare } from './batch-size.js';
import { hostList } from '../deployers/physical/hosts.js';
import * as kinds from './key-kinds.js';
import { sharedPaths } from './shared-paths.js';
import { preSwitchCommand } from '../deployers/physical/pre-switch.js';

/** Where a key belongs: an environment of one type, of any, an application, or all of them. */
export type KeyPlace = EnvironmentType | 'environment' | 'application' | 'everywhere';

/** One known key of a config. */
export interface ConfigKey<T = unknown> {
  readonly kind: ValueKind<T>;
  readonly place: KeyPlace;
  /** What holds where it is left out; none means: nothing is done. */
  readonly default?: T;
  /** The same where it differs by the type of environment. */
  readonly defaults?: Readonly<Record<EnvironmentType, T>>;
  readonly meaning: string;
  /** Must stand in an environment of its type. */
  readonly required?: true;
  /** Only an environment says it, and what counts is always its value of today. */
  readonly connection?: true;
  /** Sealed at rest and shown as `<redacted>`. */
  readonly secret?: true;
  /** `{{…}}` is filled in. */
  readonly template?: true;
}

const seconds = whole(1, 7 * 24 * 3600);
const secondsOrNone = whole(0, 7 * 24 * 3600);
const port = whole(1, 65535);

function key<T>(
  place: KeyPlace,
  kind: ValueKind<T>,
  meaning: string,
  more: Omit<ConfigKey<NoInfer<T>>, 'kind' | 'place' | 'meaning'> = {},
): ConfigKey<T> {
  return { kind, place, meaning, ...more };
}

/** Every known key. A key may also stand where it is not at home and is then a default from there. */
export const configKeys = {
  hosts: key(
    'physical',
    hostList,
    '`host`, `user@host:port`, or objects of host, port (of SSH), service_port, instance_id (a template, by default `<service>-<environment>-<host>-<port>`), user, metadata',
    {
      required: true,
      connection: true,
    },
  ),
  ssh_key: key('physical', kinds.privateKey, 'base64 of the private key to log in with', {
    required: true,
    connection: true,
    secret: true,
  }),
  ssh_user: key('physical', kinds.plainText, 'user to log in as', {
    connection: true,
    default: 'root',
  }),
  ssh_port: key('physical', port, 'port of SSH', { connection: true, default: 22 }),
  host_keys: key('physical', listOf(kinds.fingerprint), 'fingerprints that are accepted', {
    connection: true,
  }),
  host_key_policy: key(
    'physical',
    oneOf(['pin-first-seen', 'strict']),
    'what an unknown key means',
    {
      connection: true,
      default: 'pin-first-seen',
    },
  ),
  deploy_path: key(
    'physical',
    kinds.absolutePath,
    'where everything of a service lives on a host',
    {
      required: true,
      template: true,
    },
  ),
  service_name: key('physical', kinds.template, "the service; the application's name", {
    template: true,
  }),
  restart_command: key('physical', kinds.command, 'restarts the service', {
    template: true,
    default: 'systemctl restart {{service}}',
  }),
  status_command: key('physical', kinds.command, 'exits 0 while the service runs', {
    template: true,
    default: 'systemctl is-active {{service}}',
  }),
  stop_command: key(
    'physical',
    kinds.command,
    'stops the service before the switch, where it must not run meanwhile',
    { template: true },
  ),
  pre_switch_command: key('physical', preSwitchCommand, 'runs before the switch', {
    template: true,
  }),
  post_switch_command: key('physical', kinds.command, 'runs after the switch', { template: true }),
  drain_command: key('physical', kinds.command, 'takes the host out of traffic', {
    template: true,
  }),
  undrain_command: key('physical', kinds.command, 'brings it back', { template: true }),
  health_check_url: key('environment', kinds.url, 'has to answer 2xx', { template: true }),
  health_check_from: key(
    'environment',
    oneOf(['host', 'deployer']),
    'where the URL is asked from',
    {
      default: 'host',
    },
  ),
  health_check_command: key('environment', kinds.command, 'has to exit 0', { template: true }),
  health_check_timeout: key('environment', seconds, 'until when it has to be healthy', {
    default: 30,
  }),
  min_healthy_seconds: key(
    'environment',
    secondsOrNone,
    'how long it has to stay healthy; the instances of a batch do so at the same time',
    { defaults: { physical: 2, kubernetes: 0 } },
  ),
  deployment_strategy: key(
    'environment',
    oneOf(['rolling-update', 'canary', 'blue-green']),
    'on hosts, how many are switched at a time: even batches, growing ones, or all at once',
    { default: 'rolling-update' },
  ),
  batch_size: key(
    'physical',
    batchSize,
    'instances at a time; by the strategy `25%`, `1,30%,100%` or `100%`',
  ),
  bake_seconds: key(
    'physical',
    secondsOrNone,
    'pause between batches; then whatever was switched is looked at again',
    { default: 0 },
  ),
  max_failures: key('environment', failureShare, 'failures tolerated', { default: '0' }),
  approval: key(
    'environment',
    approval,
    'wait for a person when all is staged, before anything is switched; with `second-person` for one who neither made nor retried the deployment',
    {
      default: false,
    },
  ),
  canary_steps: key('kubernetes', kinds.plainText, 'percent of traffic or pods, step by step', {
    default: '10,50,100',
  }),
  keep_releases: key('physical', whole(1, 1000), 'healthy releases kept on a host', { default: 5 }),
  shared_paths: key('physical', sharedPaths, 'paths shared by all releases', {
    default: [],
  }),
  transfer: key(
    'physical',
    oneOf(['push', 'pull']),
    'whether Floy sends the artifact or the host fetches it with `curl`',
    { default: 'push' },
  ),
  auto_rollback: key('environment', flag, 'undo when it fails', { default: true }),
  timeout: key(
    'environment',
    seconds,
    'per instance 300 (`min_healthy_seconds` comes on top), per application on a cluster 600',
  ),
  retry_count: key('environment', whole(0, 100), 'repetitions of what could not be carried out', {
    default: 3,
  }),
  kubeconfig: key('kubernetes', kinds.kubeconfig, 'base64 of the kubeconfig', {
    required: true,
    connection: true,
    secret: true,
  }),
  cluster: key('kubernetes', kinds.plainText, 'context of the kubeconfig', { connection: true }),
  namespace: key('kubernetes', kinds.plainText, 'namespace', {
    connection: true,
    default: 'default',
  }),
  health_check_enabled: key('kubernetes', flag, 'whether health decides', { default: true }),
  image: key('application', kinds.template, 'image to run', { template: true }),
  manifest: key('application', kinds.template, 'what is applied', { template: true }),
  replicas: key('application', whole(0, 10_000), 'pods', { default: 1 }),
  port: key('application', port, 'port the service listens on'),
  resources: key('application', kinds.anyObject, 'requests and limits of a pod'),
  health_check_path: key('application', kinds.urlPath, 'has to answer 2xx'),
  env: key(
    'everywhere',
    kinds.templatedVariables,
    'variables for build, test, restart and health',
    {
      template: true,
      default: {},
    },
  ),
  secrets: key('everywhere', variables, 'the same, write-only', { secret: true, default: {} }),
  build_command: key('application', kinds.plainText, 'makes what ships'),
  artifact_path: key('application', kinds.innerPath, 'what of the checkout ships'),
  test_command: key('application', kinds.plainText, 'exits 0 when the tests pass'),
  dockerfile: key('application', kinds.innerPath, 'builds an image'),
  build_args: key('application', variables, 'NAME=value a line', { default: {} }),
  registry: key('application', kinds.plainText, 'where the image is pushed'),
  registry_auth: key('application', kinds.plainText, 'user:password of the registry', {
    secret: true,
  }),
  package_url: key('application', kinds.httpsUrl, 'a package instead of a build', {
    template: true,
  }),
  git_token: key('application', kinds.plainText, 'for a private repository', { secret: true }),
  git_ssh_key: key('application', kinds.privateKey, 'for a private repository', { secret: true }),
  auto_deploy: key('application', listOf(autoDeployRule), 'versions that go by themselves', {
    default: [],
  }),
  requires: key('application', listOf(kinds.plainText), 'applications that have to run there', {
    default: [],
  }),
} satisfies Record<string, ConfigKey>;

/** The name of a known key. */
export type ConfigKeyName = keyof typeof configKeys;
/** The type a known key has once read. */
export type ConfigValue<N extends ConfigKeyName> =
  (typeof configKeys)[N] extends ConfigKey<infer T> ? T : never;

/** The known key of that name, or undefined. */
export function configKey(name: string): ConfigKey | undefined {
  return Object.hasOwn(configKeys, name) ? configKeys[name as ConfigKeyName] : undefined;
}
