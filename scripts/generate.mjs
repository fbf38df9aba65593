// Writes docs/generated from what was built: `npm run build && npm run generate`. With --check it writes
// nothing, names what differs and exits 1. The schema is read from a Postgres: the one whose URL is
// in FLOY_GENERATE_DATABASE_URL (it is migrated), or one of its own that it ends afterwards.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configText } from './generate/config.mjs';
import { errorsText } from './generate/errors.mjs';
import { eventsText } from './generate/events.mjs';
import { messagesText } from './generate/messages.mjs';
import { schemaText } from './generate/schema.mjs';
import { statesText } from './generate/states.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, 'docs/generated');

const { openApiDocument } = await import('../services/api-gateway/dist/routes/table.js');
const files = {
  'config.md': await configText(root),
  'errors.md': await errorsText(root),
  'events.md': await eventsText(),
  'messages.md': await messagesText(root),
  'openapi.json': `${JSON.stringify(openApiDocument(), null, 2)}\n`,
  'schema.sql': await schemaText(process.env['FLOY_GENERATE_DATABASE_URL']),
  'states.md': await statesText(),
};

const present = existsSync(folder) ? readdirSync(folder) : [];
const surplus = present.filter((name) => !Object.hasOwn(files, name));
const changed = Object.entries(files).filter(([name, text]) => {
  const file = join(folder, name);
  return !existsSync(file) || readFileSync(file, 'utf8') !== text;
});
if (process.argv.includes('--check')) {
  const differing = [...changed.map(([name]) => name), ...surplus];
  for (const name of differing) {
    console.error(`docs/generated/${name} is not what the code says: run npm run generate`);
  }
  process.exitCode = differing.length > 0 ? 1 : 0;
} else {
  mkdirSync(folder, { recursive: true });
  for (const name of surplus) rmSync(join(folder, name));
  for (const [name, text] of changed) {
    writeFileSync(join(folder, name), text);
    console.log(`docs/generated/${name}`);
  }
}
