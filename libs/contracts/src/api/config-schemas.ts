import type { EnvironmentType } from '../resources/environment.js';
import { configKeys, type ConfigKey, type KeyPlace } from '../config/config-keys.js';

type Json = Record<string, unknown>;

/** The keys that a reader of the API looks for in one kind of config. */
function shapeOf(
  title: string,
  description: string,
  has: (key: ConfigKey) => boolean,
  type?: EnvironmentType,
): Json {
  const keys = Object.entries<ConfigKey>(configKeys).filter(([, key]) => has(key));
  return {
    title,
    type: 'object',
    description,
    additionalProperties: true,
    properties: Object.fromEntries(keys.map(([name, key]) => [name, propertyOf(key, type)])),
  };
}

function propertyOf(key: ConfigKey, type: EnvironmentType | undefined): Json {
  const otherwise = (type && key.defaults?.[type]) ?? key.default;
  const byType = type === undefined ? Object.entries(key.defaults ?? {}) : [];
  const notes = [
    key.required && 'required',
    otherwise !== undefined && `default \`${textOf(otherwise)}\``,
    ...byType.map(
      ([name, value]) => `default \`${textOf(value)}\` in environments of type ${name}`,
    ),
    key.secret && 'secret: sealed, and shown as `<redacted>`',
    key.template && '`{{…}}` is filled in',
  ].filter((note) => note !== undefined && note !== false);
  const schema = JSON.parse(JSON.stringify(key.kind.schema)) as Json;
  return {
    ...schema,
    description: [key.meaning, ...notes].join('; '),
    ...(otherwise === undefined ? {} : { default: otherwise }),
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const isOf =
  (...places: KeyPlace[]) =>
  ({ place }: ConfigKey): boolean =>
    places.includes(place);

/** The table of config keys as schemas, one for each kind of config, for the API's document. */
export const configSchemas: Readonly<Record<string, Json>> = {
  PhysicalConfig: shapeOf(
    'PhysicalConfig',
    'The config of an environment of hosts. Keys of applications may stand here too, and are then defaults.',
    isOf('physical', 'environment', 'everywhere'),
    'physical',
  ),
  KubernetesConfig: shapeOf(
    'KubernetesConfig',
    'The config of an environment on a cluster. Keys of applications may stand here too, and are then defaults.',
    isOf('kubernetes', 'environment', 'everywhere'),
    'kubernetes',
  ),
  ApplicationConfig: shapeOf(
    'ApplicationConfig',
    'The config of an application. What an environment says too counts as it is said here.',
    ({ connection }) => connection !== true,
  ),
};
