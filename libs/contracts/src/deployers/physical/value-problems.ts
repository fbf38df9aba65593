import { commandCheck } from '../../config/command-template.js';
import { isFillable, pathValueProblem } from '../../config/template.js';
import type { PlaceNames } from '../deployer.js';
import { hostValues, valuesOf } from './places.js';
import {
  deployPathOf,
  resolvePhysicalSettings,
  serviceNameOf,
  serviceNameProblem,
  type PhysicalSettings,
} from './settings.js';

type Config = Readonly<Record<string, unknown>>;

/**
 * The values that would not be plain in a command, by key: see `DeployerPlan.valueProblems`. They are
 * known before anything is on a host, except for hashes, which are plain.
 */
export function valueProblems(
  environment: Config,
  application: Config,
  names: PlaceNames,
): Record<string, string> {
  const settings = resolvePhysicalSettings(environment, application);
  const unnamed = serviceNameProblem(settings, valuesOf(names));
  if (unnamed !== undefined) return { 'config.service_name': unnamed };
  const service = serviceNameOf(settings, valuesOf(names));
  const checks = Object.entries(commandsOf(settings)).flatMap(([key, template]) =>
    template === undefined ? [] : [[key, commandCheck(template)] as const],
  );
  const problems: Record<string, string> = {};
  const hosts = hostValues(environment, settings, service, names);
  for (const [at, { values }] of hosts.entries()) {
    const unplaced = pathValueProblem(settings.deployPath, values);
    if (unplaced !== undefined) return { 'config.deploy_path': unplaced };
    const path = isFillable(settings.deployPath, values)
      ? { release_path: `${deployPathOf(settings, values)}/releases` }
      : {};
    for (const [key, check] of checks) {
      // The lines of a thousand hosts are compared when each of them has its command filled.
      const problem = check({ ...values, ...path }, at === 0);
      if (problem !== undefined) problems[`config.${key}`] ??= problem;
    }
  }
  return problems;
}

/** Every command of an application, by its key. */
function commandsOf(settings: PhysicalSettings): Record<string, string | undefined> {
  return {
    restart_command: settings.restartCommand,
    status_command: settings.statusCommand,
    stop_command: settings.stopCommand,
    pre_switch_command: settings.preSwitch?.command,
    post_switch_command: settings.postSwitchCommand,
    drain_command: settings.drainCommand,
    undrain_command: settings.undrainCommand,
    health_check_command: settings.healthCheckCommand,
  };
}
