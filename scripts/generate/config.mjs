import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { configKeys, templateNames } from '../../libs/contracts/dist/index.js';
import { settings } from '../../libs/service-kit/dist/settings.js';
import { code, heading, table } from './markdown.mjs';

export async function configText(root) {
  const source = (path) => `[${path}](../../${path})`;
  return [
    heading('Configuration', '## Environment variables'),
    [
      `From ${source('libs/service-kit/src/settings.ts')}. A process checks all of them at its start, names every`,
      'problem at once and exits 78. `X_FILE` names a file that holds the value of `X`. A name in bold has',
      'to be set for that process; `standalone` stands for `npm start` and `npm run fleet`, which make or',
      'find what is left out.',
      '',
    ].join('\n'),
    table(['variable', 'default', '', 'meaning', 'read by'], await variableRows(root)),
    '## Keys of a config\n',
    [
      `From ${source('libs/contracts/src/config/config-keys.ts')}. A task sees the environment's config overlaid by`,
      'the application’s, except connection keys, which only an environment has and which are always those',
      'of today. Seconds everywhere. A key that is nearly one of these is refused; other keys are kept as',
      'they are and listed in `unknown_keys` of the answer.',
      '',
      `In a template, ${templateNames.map((name) => code(`{{${name}}}`)).join(', ')} are filled in, quoted for a shell where`,
      'the key is a command. An unknown name is refused.',
      '',
    ].join('\n'),
    table(['key', 'place', 'default', '', 'meaning'], Object.entries(configKeys).map(keyRow)),
  ].join('\n');
}

async function variableRows(root) {
  const readers = await readersOf(root);
  return Object.entries(settings).map(([name, schema]) => {
    const read = readers.flatMap(({ service, properties, required }) => {
      if (!Object.hasOwn(properties, name)) return [];
      const must = required.includes(name) && schema.default === undefined;
      return [must ? `**${service}**` : service];
    });
    return [
      ...[code(name), valueText(schema.default), schema.secret ? 'secret' : ''],
      ...[schema.description ?? '', read.join(', ') || 'nothing yet'],
    ];
  });
}

/** The settings of every service, from its config. */
async function readersOf(root) {
  const services = readdirSync(join(root, 'services'))
    .toSorted()
    .filter((service) => existsSync(join(root, 'services', service, 'dist/config.js')));
  return Promise.all(
    services.map(async (service) => {
      const file = join(root, 'services', service, 'dist/config.js');
      const { settings: schema } = await import(pathToFileURL(file).href);
      return { service, properties: schema.properties, required: schema.required ?? [] };
    }),
  );
}

function keyRow([name, key]) {
  const marks = [
    key.required && 'required',
    key.connection && 'connection',
    key.secret && 'secret',
    key.template && 'template',
  ];
  return [
    ...[code(name), key.place, defaultText(key)],
    ...[marks.filter(Boolean).join(', '), key.meaning],
  ];
}

function defaultText({ default: value, defaults = {} }) {
  const byType = Object.entries(defaults).map(([type, each]) => `${valueText(each)} on ${type}`);
  return byType.length === 0 ? valueText(value) : byType.join(', ');
}

function valueText(value) {
  if (value === undefined || value === '') return '';
  return code(typeof value === 'string' ? value : JSON.stringify(value));
}
