import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SlowStatementError } from '../../libs/database/dist/outages.js';
import { FloyError, LeaseLostError, UnavailableError } from '../../libs/domain/dist/index.js';
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
  const slow = new SlowStatementError(new Error());
  rows.push(
    [
      ...[code('SlowStatementError'), httpOf(slow), outcomeOf(slow)],
      'A statement reached a limit on its time. Not counted where Postgres or the process stood still.',
    ],
    ['anything else', httpOf(new Error('')), outcomeOf(new Error('')), 'A defect.'],
  );
  return [
    heading(
      'Errors',
      `From [${SOURCE}](../../${SOURCE}), ` +
        '[http-errors.ts](../../libs/service-kit/src/http-errors.ts) and ' +
        '[outages.ts](../../libs/database/src/outages.ts).',
    ),
    table(['class', 'HTTP', 'thrown by a handler', 'meaning'], rows),
    [
      `An error that is counted lets its message come back a little later; the ${ordinal(maxErrors)} one, or the`,
      `${ordinal(maxClaims)} time that a message was begun without an end, makes it dead: \`dead\` of its handler then`,
      'makes, once, the change that ends its work. Only what the adapters of Postgres and of the queue',
      'threw is an outage and not counted; the message comes back with growing pauses. A host that',
      'refuses a connection is a failure of that work.',
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
  return error instanceof UnavailableError ? 'comes back, not counted' : 'comes back, counted';
}

function ordinal(count) {
  return { 5: 'fifth', 10: 'tenth' }[count] ?? `${count}th`;
}
