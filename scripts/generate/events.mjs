import { eventCatalogue } from '../../libs/contracts/dist/index.js';
import { code, heading, table } from './markdown.mjs';

const SOURCE = 'libs/contracts/src/events.ts';

export async function eventsText() {
  const rows = Object.entries(eventCatalogue).map(([type, { meaning, data, role }]) => [
    code(type),
    meaning,
    fieldsOf(data),
    role,
  ]);
  return [
    heading('Events', `From [${SOURCE}](../../${SOURCE}).`),
    'A line of the history of a deployment, or, of a host key, of an environment. It also has its\n' +
      'number in that history (`seq`), the id that it is about (`subject`), who caused it (`actor`,\n' +
      'empty for Floy itself) and its time. Fields with a `?` may be missing.\n',
    table(['type', 'meaning', 'data', 'seen from role'], rows),
  ].join('\n');
}

function fieldsOf({ properties = {}, required = [] }) {
  const fields = Object.entries(properties).map(([name, { type, enum: words }]) => {
    const kind = words ? words.join(' or ') : [type].flat().join(' or ');
    return `${name}${required.includes(name) ? '' : '?'}: ${kind}`;
  });
  return fields.length === 0 ? '' : code(fields.join(', '));
}
