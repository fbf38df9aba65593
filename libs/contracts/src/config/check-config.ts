import { InvalidRequestError } from '@floy/domain';
import type { EnvironmentType } from '../resources/environment.js';
import {
  configKey,
  configKeys,
  type ConfigKey,
  type ConfigKeyName,
  type ConfigValue,
} from './config-keys.js';
import { samePlaceProblems } from '../deployers/physical/same-place.js';
import { keyMeantBy } from './unknown-keys.js';

type Config = Readonly<Record<string, unknown>>;

/** Field path → reason, for every known key of an environment's config that is wrong or missing. */
export function environmentConfigProblems(
  type: EnvironmentType,
  config: Config,
): Record<string, string> {
  const problems = knownKeyProblems(config);
  for (const [name, key] of Object.entries<ConfigKey>(configKeys)) {
    if (key.required && key.place === type && isAbsent(config[name])) {
      problems[`config.${name}`] ??= `is required in a ${type} environment`;
    }
  }
  if (type === 'physical' && Object.keys(problems).length === 0) {
    const hosts = readKey('hosts', config) ?? [];
    return samePlaceProblems(hosts, readKey('ssh_port', config), readKey('deploy_path', config));
  }
  return problems;
}

/** Field path → reason, for every known key of an application's config that is wrong. */
export function applicationConfigProblems(config: Config): Record<string, string> {
  const problems = knownKeyProblems(config);
  for (const name of Object.keys(config)) {
    if (configKey(name)?.connection) problems[`config.${name}`] = 'only an environment has it';
  }
  return problems;
}

/**
 * The value of a known key, or its default, or undefined.
 * Throws InvalidRequestError naming the key when it is wrong.
 */
export function readKey<N extends ConfigKeyName>(
  name: N,
  config: Config,
): ConfigValue<N> | undefined {
  const key: ConfigKey = configKeys[name];
  const value = config[name];
  if (isAbsent(value)) return key.default as ConfigValue<N> | undefined;
  const problems: Record<string, string> = {};
  const read = key.kind.read(value, `config.${name}`, (path, reason) => {
    problems[path] = reason;
  });
  const [first] = Object.entries(problems);
  if (first !== undefined) throw new InvalidRequestError(first.join(' '), problems);
  return read as ConfigValue<N>;
}

/** The same, with the default that holds for this type of environment. */
export function readKeyFor<N extends ConfigKeyName>(
  type: EnvironmentType,
  name: N,
  config: Config,
): ConfigValue<N> | undefined {
  const key: ConfigKey = configKeys[name];
  return readKey(name, config) ?? (key.defaults?.[type] as ConfigValue<N> | undefined);
}

/** So many unknown keys are compared with the known ones; nobody misspells more of them. */
const MOST_COMPARED = 1000;

function knownKeyProblems(config: Config): Record<string, string> {
  const problems: Record<string, string> = {};
  let unknown = 0;
  for (const [name, value] of Object.entries(config)) {
    const key = configKey(name);
    if (key === undefined) {
      unknown += 1;
      const meant = unknown > MOST_COMPARED ? undefined : keyMeantBy(name);
      if (meant !== undefined) problems[`config.${name}`] = `is not known: ${meant} is meant`;
      continue;
    }
    // null means what leaving the key out means, so that clients with fixed fields can say so.
    if (value === null) continue;
    key.kind.read(value, `config.${name}`, (path, reason) => {
      problems[path] ??= reason;
    });
  }
  return problems;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}
