import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FloyError, LeaseLostError } from '../../libs/domain/dist/index.js';
import { isOutage } from '../../libs/messaging/dist/outage.js';
import { maxClaims, maxErrors } from '../../libs/messaging/dist/message-row.js';
import { errorAnswer } from '../../libs/service-kit/dist/http-errors.js';
import { code, commentText, heading, table } from './markdown.mjs';

const SOURCE = 'libs/domain/src/errors.ts';

export async function errorsText(root) {
  const text = readFileSync(join(root, SOURCE), 'utf8');
  const classes = [
    ...text.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport class (\w+) extends FloyError/g),
  ];
  const exported = Object.entries(await import('../../libs/domain/dist/index.js')).filter(
    ([name, value]) => name !== 'FloyError' && value.prototype instanceof FloyError,
  );
  const byName = new Map(exported);
  const rows = classes.map(([, comment, name]) => {
    const error = new (byName.get(name))('');
    byName.delete(name);
    return [code(name), httpOf(error), outcomeOf(error), commentText(`/**${comment}*/`)];
  });
  if (byName.size > 0) throw new Error(`${SOURCE}: ${[...byName.keys()]} has no comment`);
  rows.push([
    ...['anything else', httpOf(new Error('')), outcomeOf(new Error(''))],
    'A defect, or a server that is away: see below.',
  ]);
  return [
    heading(
      'Errors',
      `From [${SOURCE}](../../${SOURCE}), ` +
        '[http-errors.ts](../../libs/service-kit/src/http-errors.ts) and ' +
        '[outage.ts](../../libs/messaging/src/outage.ts).',
    ),
    table(['class', 'HTTP', 'thrown by a handler', 'meaning'], rows),
    [
      `An error that is counted lets its message come back a little later; the ${ordinal(maxErrors)} one, or the`,
      `${ordinal(maxClaims)} time that a message was begun without an end, makes it dead: \`dead\` of its handler then`,
      'makes, once, the change that ends its work. An outage of Postgres, Redis or the network is not',
      'counted, whatever class the driver threw.',
      '',
      'The handlers of tasks and instances take `VerdictError` and `CouldNotTellError` before that: a',
      'verdict ends the task or instance as failed at once; what could not be told is tried again on the',
      'spot (`retry_count` times on a host, twice for a build or test) and is written as failed after that.',
      '',
    ].join('\n'),
  ].join('\n');
}

function httpOf(error) {
  const { status, body } = errorAnswer(error, '');
  return `${status} ${code(body.error.code)}`;
}

function outcomeOf(error) {
  if (error instanceof LeaseLostError) return 'writes nothing; the message comes back';
  return isOutage(error) ? 'comes back, not counted' : 'comes back, counted';
}

function ordinal(count) {
  return { 5: 'fifth', 10: 'tenth' }[count] ?? `${count}th`;
}
