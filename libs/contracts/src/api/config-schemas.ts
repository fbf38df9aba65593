import { configKeys, type ConfigKey, type KeyPlace } from '../config/config-keys.js';

type Json = Record<string, unknown>;

/** The keys that a reader of the API looks for in one kind of config. */
function shapeOf(title: string, description: string, has: (key: ConfigKey) => boolean): Json {
  const keys = Object.entries<ConfigKey>(configKeys).filter(([, key]) => has(key));
  return {
    title,
    type: 'object',
    description,
    additionalProperties: true,
    properties: Object.fromEntries(keys.map(([name, key]) => [name, propertyOf(key)])),
  };
}

function propertyOf(key: ConfigKey): Json {
  const notes = [
    key.required && 'required',
    key.default !== undefined && `default \`${textOf(key.default)}\``,
    key.secret && 'secret: sealed, and shown as `<redacted>`',
    key.template && '`{{…}}` is filled in',
  ].filter((note) => note !== undefined && note !== false);
  const schema = JSON.parse(JSON.stringify(key.kind.schema)) as Json;
  return {
    ...schema,
    description: [key.meaning, ...notes].join('; '),
    ...(key.default === undefined ? {} : { default: key.default }),
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
  ),
  KubernetesConfig: shapeOf(
    'KubernetesConfig',
    'The config of an environment on a cluster. Keys of applications may stand here too, and are then defaults.',
    isOf('kubernetes', 'environment', 'everywhere'),
  ),
  ApplicationConfig: shapeOf(
    'ApplicationConfig',
    'The config of an application. What an environment says too counts as it is said here.',
    ({ connection }) => connection !== true,
  ),
};
