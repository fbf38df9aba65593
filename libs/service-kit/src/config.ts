import { readFileSync } from 'node:fs';
import { parseEncryptionKeys } from '@floy/secrets/sealing';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import type { Static, TObject } from 'typebox';

/** Environment variables, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment does not fit: every reason at once, by the name of the variable. */
export class ConfigError extends Error {
  constructor(
    readonly problems: Readonly<Record<string, string>>,
    options?: ErrorOptions,
  ) {
    super(
      Object.entries(problems)
        .map(([name, reason]) => `${name}: ${reason}`)
        .join('; '),
      options,
    );
    this.name = 'ConfigError';
  }
}

/** The exit code of a process whose configuration is wrong (EX_CONFIG of sysexits.h). */
export const CONFIG_EXIT_CODE = 78;

/**
 * Reads settings from environment variables of the same names. `X_FILE` names a file that holds the
 * value of `X`; an empty variable counts as not set. Numbers and booleans are read from their text.
 * No reason in the error repeats a value, which may be secret.
 *
 * @throws ConfigError
 */
export function readSettings<S extends TObject>(schema: S, env: Environment): Static<S> {
  const values: Record<string, string> = {};
  const problems: Record<string, string> = {};
  for (const name of Object.keys(schema.properties)) {
    const value = env[name] || undefined;
    const file = env[`${name}_FILE`] || undefined;
    if (value !== undefined && file !== undefined) {
      problems[name] = `set it or ${name}_FILE, not both`;
    } else if (file !== undefined) {
      try {
        values[name] = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
      } catch (error) {
        problems[`${name}_FILE`] = `cannot be read (${(error as NodeJS.ErrnoException).code})`;
        // Said already; the value itself is not missing.
        delete values[name];
      }
    } else if (value !== undefined) values[name] = value;
  }
  const validate = validator().compile(schema);
  if (!validate(values)) {
    for (const error of validate.errors ?? []) {
      const [name, reason] = explain(error);
      if (problems[`${name}_FILE`] === undefined) problems[name] ??= reason;
    }
  }
  if (Object.keys(problems).length > 0) throw new ConfigError(problems);
  return values as Static<S>;
}

/** Variables that look like Floy's and are none: most likely misspelled. */
export function unknownSettings(env: Environment, known: readonly string[]): string[] {
  const names = new Set(known.flatMap((name) => [name, `${name}_FILE`]));
  return Object.keys(env).filter((name) => /^FLOY_(?!TEST_)/.test(name) && !names.has(name));
}

/** The values to keep out of logs: settings marked `secret`, and the passwords in URLs. */
export function secretValues(schema: TObject, config: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(schema.properties).flatMap(([name, property]) => {
    const value = config[name];
    if (typeof value !== 'string') return [];
    if ((property as { secret?: boolean }).secret) return value.split(/\s+/).filter(Boolean);
    return passwordsIn(value);
  });
}

/** The password in a URL, if it is one and has one. */
export function passwordsIn(url: string): string[] {
  const password = URL.canParse(url) ? new URL(url).password : '';
  return password === '' ? [] : [decoded(password) ?? password];
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const formats = {
  'postgres-url': hasScheme('postgres:', 'postgresql:'),
  'redis-url': hasScheme('redis:', 'rediss:'),
  'http-url': hasScheme('http:', 'https:'),
  'encryption-keys': (text: string) => {
    try {
      return parseEncryptionKeys(text).length > 0;
    } catch {
      return false;
    }
  },
};

const expectations: Record<keyof typeof formats, string> = {
  'postgres-url': 'must be a URL like postgres://user:password@host:5432/database',
  'redis-url': 'must be a URL like redis://host:6379/0 or rediss://…',
  'http-url': 'must be a URL like http://host:8080',
  'encryption-keys': 'must be 32 bytes in base64, old ones after it, separated by white space',
};

function validator(): Ajv2020 {
  return new Ajv2020({
    allErrors: true,
    coerceTypes: true,
    useDefaults: true,
    strict: true,
    keywords: ['secret'],
    formats,
  });
}

function hasScheme(...schemes: string[]): (text: string) => boolean {
  return (text) => {
    if (!URL.canParse(text)) return false;
    const { protocol, hostname, username, password, pathname } = new URL(text);
    // A `%` that begins no sequence breaks whatever reads the URL later.
    const whole = [username, password, pathname].every((part) => decoded(part) !== undefined);
    return schemes.includes(protocol) && hostname !== '' && whole;
  };
}

function explain(error: ErrorObject): [name: string, reason: string] {
  const params = error.params as Record<string, unknown>;
  const name = error.instancePath.split('/')[1] ?? '';
  switch (error.keyword) {
    case 'required':
      return [String(params['missingProperty']), 'must be set'];
    case 'format':
      return [name, expectations[params['format'] as keyof typeof formats]];
    case 'enum':
      return [name, `must be one of ${(params['allowedValues'] as string[]).join(', ')}`];
    case 'type':
      return [name, params['type'] === 'integer' ? 'must be a whole number' : 'must be text'];
    case 'minimum':
    case 'maximum':
      return [
        name,
        `must be ${error.keyword === 'minimum' ? 'at least' : 'at most'} ${String(params['limit'])}`,
      ];
    case 'minLength':
      return [name, `must have at least ${String(params['limit'])} characters`];
    default:
      return [name, error.message ?? error.keyword];
  }
}
