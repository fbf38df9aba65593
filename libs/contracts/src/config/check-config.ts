import { InvalidRequestError } from '@floy/domain';
import type { EnvironmentType } from '../resources/environment.js';
import {
  configKey,
  configKeys,
  type ConfigKey,
  type ConfigKeyName,
  type ConfigValue,
} from './config-keys.js';

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

function knownKeyProblems(config: Config): Record<string, string> {
  const problems: Record<string, string> = {};
  for (const [name, value] of Object.entries(config)) {
    const key = configKey(name);
    // null means what leaving the key out means, so that clients with fixed fields can say so.
    if (key === undefined || value === null) continue;
    key.kind.read(value, `config.${name}`, (path, reason) => {
      problems[path] ??= reason;
    });
  }
  return problems;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}
