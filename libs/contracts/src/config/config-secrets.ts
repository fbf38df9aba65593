import { InvalidRequestError } from '@floy/domain';
import { configKey } from './config-keys.js';

type Config = Readonly<Record<string, unknown>>;

/** What an answer shows in place of a secret; sent back in a PUT it keeps the stored value. */
export const REDACTED = '<redacted>';

/** A config in two parts that are stored apart: what may be read, and what is sealed. */
export interface SplitConfig {
  readonly open: Record<string, unknown>;
  readonly secret: Record<string, unknown>;
}

/** Parts a config by its secret keys, which are secret wherever they stand. */
export function splitSecrets(config: Config): SplitConfig {
  const open: Record<string, unknown> = {};
  const secret: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(config)) {
    const hidden = configKey(name)?.secret === true && value !== null;
    (hidden ? secret : open)[name] = value;
  }
  return { open, secret };
}

/** The config as answers show it; a map of secrets shows its names. */
export function redactSecrets(config: Config): Record<string, unknown> {
  const { open, secret } = splitSecrets(config);
  const shown = Object.entries(secret).map(([name, value]) => [name, redacted(value)] as const);
  return inOrderOf(config, { ...open, ...Object.fromEntries(shown) });
}

/**
 * The config that a PUT means: `<redacted>` in place of a secret keeps the stored one.
 * Throws InvalidRequestError where nothing is stored that could be kept.
 */
export function keepRedacted(sent: Config, stored: Config): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(sent)) {
    kept[name] = configKey(name)?.secret ? keptValue(name, value, stored[name]) : value;
  }
  return kept;
}

/** Every text of a config's secret keys, for masking what is printed. */
export function secretTexts(config: Config): string[] {
  const texts: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value === 'object' && value !== null) Object.values(value).forEach(collect);
    else if (value !== undefined && value !== null) texts.push(String(value));
  };
  const { secret } = splitSecrets(config);
  collect(Object.values(secret));
  // `user:password`: the password alone is as secret.
  const { registry_auth: login } = secret;
  if (typeof login === 'string') texts.push(login.slice(login.indexOf(':') + 1));
  return texts;
}

function keptValue(name: string, value: unknown, stored: unknown): unknown {
  if (value === REDACTED) {
    if (stored !== undefined) return stored;
    throw nothingToKeep(`config.${name}`);
  }
  if (!isMap(value)) return value;
  const before = isMap(stored) ? stored : {};
  const entries = Object.entries(value).map(([key, each]) => {
    if (each !== REDACTED) return [key, each] as const;
    if (!Object.hasOwn(before, key)) throw nothingToKeep(`config.${name}.${key}`);
    return [key, before[key]] as const;
  });
  return Object.fromEntries(entries);
}

function nothingToKeep(path: string): InvalidRequestError {
  return new InvalidRequestError(`${path}: there is no stored value to keep`, {
    [path]: `${REDACTED} keeps a stored value, and there is none`,
  });
}

function redacted(value: unknown): unknown {
  if (!isMap(value)) return REDACTED;
  return Object.fromEntries(Object.keys(value).map((name) => [name, REDACTED]));
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function inOrderOf(config: Config, parts: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.keys(config).map((name) => [name, parts[name]]));
}
