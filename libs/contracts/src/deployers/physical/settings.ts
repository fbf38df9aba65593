import { InvalidRequestError } from '@floy/domain';
import type { Approval } from '../../config/approval.js';
import { readKeyFor } from '../../config/check-config.js';
import type { ConfigKeyName } from '../../config/config-keys.js';
import { pathProblem } from '../../config/key-kinds.js';
import { overlayConfig } from '../../config/overlay-config.js';
import { fillCommand } from '../../config/command-template.js';
import { plainProblem } from '../../config/plain-value.js';
import {
  exportedValues,
  fillPath,
  fillTemplate,
  fillUrl,
  type TemplateValues,
} from '../../config/template.js';
import type { Rollout } from '../deployer.js';
import type { HostSettings } from './host-settings.js';
import type { PreSwitchCommand } from './pre-switch.js';

type Config = Readonly<Record<string, unknown>>;

/** Default of `timeout` for one instance on a host, in seconds. */
export const INSTANCE_TIMEOUT = 300;

/**
 * How an application behaves on a physical environment: what the sealed snapshot of a deployment
 * fixes. Templates are not filled yet, because each host fills them with its own names.
 */
export interface PhysicalSettings {
  readonly serviceName: string | undefined;
  readonly deployPath: string;
  readonly restartCommand: string;
  readonly statusCommand: string;
  readonly stopCommand: string | undefined;
  readonly preSwitch: PreSwitchCommand | undefined;
  readonly postSwitchCommand: string | undefined;
  readonly drainCommand: string | undefined;
  readonly undrainCommand: string | undefined;
  readonly healthCheckUrl: string | undefined;
  readonly healthCheckFrom: 'host' | 'deployer';
  readonly healthCheckCommand: string | undefined;
  readonly healthCheckTimeout: number;
  readonly minHealthySeconds: number;
  /** As the domain's `batchSizes` reads it. */
  readonly batchSize: string;
  readonly bakeSeconds: number;
  /** As the domain's `failureBudget` reads it. */
  readonly maxFailures: string;
  readonly approval: Approval;
  readonly keepReleases: number;
  readonly sharedPaths: readonly string[];
  readonly transfer: 'push' | 'pull';
  readonly autoRollback: boolean;
  readonly timeoutSeconds: number;
  readonly retryCount: number;
  readonly servicePort: number | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
}

/** Throws InvalidRequestError naming the key that is wrong or missing. */
export function resolvePhysicalSettings(
  environment: Config,
  application: Config,
): PhysicalSettings {
  const config = overlayConfig(environment, application);
  const get = <N extends ConfigKeyName>(name: N) => readKeyFor('physical', name, config);
  const need = <N extends ConfigKeyName>(name: N) => {
    const value = get(name);
    if (value !== undefined) return value;
    throw new InvalidRequestError(`config.${name} is required`, {
      [`config.${name}`]: 'is required',
    });
  };
  return {
    serviceName: get('service_name'),
    deployPath: need('deploy_path'),
    restartCommand: need('restart_command'),
    statusCommand: need('status_command'),
    stopCommand: get('stop_command'),
    preSwitch: get('pre_switch_command'),
    postSwitchCommand: get('post_switch_command'),
    drainCommand: get('drain_command'),
    undrainCommand: get('undrain_command'),
    healthCheckUrl: get('health_check_url'),
    healthCheckFrom: need('health_check_from'),
    healthCheckCommand: get('health_check_command'),
    healthCheckTimeout: need('health_check_timeout'),
    minHealthySeconds: need('min_healthy_seconds'),
    batchSize: get('batch_size') ?? batchesOf[need('deployment_strategy')],
    bakeSeconds: need('bake_seconds'),
    maxFailures: need('max_failures'),
    approval: need('approval'),
    keepReleases: need('keep_releases'),
    sharedPaths: need('shared_paths'),
    transfer: need('transfer'),
    autoRollback: need('auto_rollback'),
    timeoutSeconds: get('timeout') ?? INSTANCE_TIMEOUT,
    retryCount: need('retry_count'),
    servicePort: get('port'),
    env: need('env'),
    secrets: need('secrets'),
  };
}

/** How a release goes to hosts. Throws InvalidRequestError naming the key that is wrong. */
export function rolloutOf(environment: Config, application: Config): Rollout {
  const settings = resolvePhysicalSettings(environment, application);
  const runOnce = settings.preSwitch?.runOnce ?? false;
  return {
    // A migration that runs once is over before any other host is switched.
    batchSize: runOnce ? `1,${settings.batchSize}` : settings.batchSize,
    bakeSeconds: settings.bakeSeconds,
    maxFailures: settings.maxFailures,
    approval: settings.approval !== false,
    secondPerson: settings.approval === 'second-person',
    runOnce,
    // Staying healthy is no part of getting there in time.
    timeoutSeconds: settings.timeoutSeconds + settings.minHealthySeconds,
    retryCount: settings.retryCount,
  };
}

/**
 * What a strategy is on hosts, where both versions lie beside each other anyway: how many of them
 * are switched at a time.
 */
const batchesOf = {
  'rolling-update': '25%',
  canary: '1,30%,100%',
  'blue-green': '100%',
} as const;

/**
 * The service's name on the hosts: `service_name` filled, else the application's name. It becomes
 * part of commands: throws InvalidRequestError where it is not plain.
 */
export function serviceNameOf(settings: PhysicalSettings, values: TemplateValues): string {
  const problem = serviceNameProblem(settings, values);
  if (problem === undefined) return filledServiceName(settings, values);
  throw new InvalidRequestError(`config.service_name ${problem}`, {
    'config.service_name': problem,
  });
}

/** Why a service cannot have the name that its settings give it, or undefined. */
export function serviceNameProblem(
  settings: PhysicalSettings,
  values: TemplateValues,
): string | undefined {
  const name = filledServiceName(settings, values);
  const problem = plainProblem(name);
  if (problem === undefined) return undefined;
  const named = JSON.stringify(name);
  return settings.serviceName === undefined
    ? `is required, because the application's name ${named} ${problem}`
    : `is ${named}, which ${problem}`;
}

function filledServiceName(settings: PhysicalSettings, values: TemplateValues): string {
  if (settings.serviceName === undefined) return values.application ?? '';
  return fillTemplate(settings.serviceName, values, 'service_name');
}

/** `deploy_path` filled for one host. Throws InvalidRequestError where it leads elsewhere. */
export function deployPathOf(settings: PhysicalSettings, values: TemplateValues): string {
  const path = fillPath(settings.deployPath, values, 'deploy_path').replace(/\/+/g, '/');
  const problem = pathProblem(path);
  if (problem === undefined) return path.length > 1 ? path.replace(/\/$/, '') : path;
  throw new InvalidRequestError(`deploy_path ${problem}: ${path}`, { deploy_path: problem });
}

/**
 * The settings of one host, every template filled. `values` names the version, the environment, the
 * application, the host and (where a key uses it) `release_path`.
 */
export function fillHostSettings(settings: PhysicalSettings, known: TemplateValues): HostSettings {
  const serviceName = serviceNameOf(settings, known);
  const values: TemplateValues = { ...known, service: serviceName };
  const command = (key: string, template: string | undefined) =>
    template === undefined ? undefined : fillCommand(template, values, key);
  const env = Object.entries(settings.env).map(
    ([name, value]) => [name, fillTemplate(value, values, `env.${name}`)] as const,
  );
  const url = settings.healthCheckUrl;
  return {
    serviceName,
    deployPath: deployPathOf(settings, values),
    restartCommand: fillCommand(settings.restartCommand, values, 'restart_command'),
    statusCommand: fillCommand(settings.statusCommand, values, 'status_command'),
    stopCommand: command('stop_command', settings.stopCommand),
    preSwitchCommand: command('pre_switch_command', settings.preSwitch?.command),
    preSwitchRunOnce: settings.preSwitch?.runOnce ?? false,
    postSwitchCommand: command('post_switch_command', settings.postSwitchCommand),
    drainCommand: command('drain_command', settings.drainCommand),
    undrainCommand: command('undrain_command', settings.undrainCommand),
    transfer: settings.transfer,
    health: {
      url: url === undefined ? undefined : fillUrl(url, values, 'health_check_url'),
      from: settings.healthCheckFrom,
      command: command('health_check_command', settings.healthCheckCommand),
      timeoutSeconds: settings.healthCheckTimeout,
      minHealthySeconds: settings.minHealthySeconds,
    },
    environment: { ...Object.fromEntries(env), ...settings.secrets, ...exportedValues(values) },
    secretValues: Object.values(settings.secrets),
    sharedPaths: settings.sharedPaths,
    keepReleases: settings.keepReleases,
    timeoutSeconds: settings.timeoutSeconds,
  };
}
