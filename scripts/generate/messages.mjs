import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageCatalogue } from '../../libs/contracts/dist/index.js';
import { code, commentText, heading, table } from './markdown.mjs';

const SOURCE = 'libs/contracts/src/messages.ts';

const works = {
  short: 'acts in one transaction, together with the end of the message',
  long: 'takes the lease of its subject and works outside of any transaction',
  once: 'is done when it begins',
};

export async function messagesText(root) {
  const payloads = readPayloads(readFileSync(join(root, SOURCE), 'utf8'));
  const rows = Object.entries(messageCatalogue).map(([kind, { queue, work, subject }]) => {
    const payload = payloads.get(kind);
    if (!payload) throw new Error(`${SOURCE}: no payload of ${kind} was found`);
    const handler = handlerOf(root, kind);
    return [
      code(kind),
      code(queue),
      work,
      code(subject),
      code(payload.fields),
      `[${handler.split('/')[1]}](../../${handler})`,
      payload.meaning || meaningOf(readFileSync(join(root, handler), 'utf8')),
    ];
  });
  const kinds = Object.entries(works).map(([work, meaning]) => `- \`${work}\` ${meaning}.`);
  return [
    heading('Messages', `From [${SOURCE}](../../${SOURCE}).`),
    `How a handler works:\n\n${kinds.join('\n')}\n`,
    table(['kind', 'queue', 'work', 'subject', 'payload', 'handler', 'meaning'], rows),
  ].join('\n');
}

/** Fields and comment of every kind in the interface MessagePayloads. */
function readPayloads(text) {
  const [, body = ''] = /interface MessagePayloads \{\n([\s\S]*?)\n\}/.exec(text) ?? [];
  const entries = body.matchAll(
    /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*)?'([\w-]+)': \{ ([^}]*?);? \};/g,
  );
  return new Map(
    [...entries].map(([, comment = '', kind, fields]) => [
      kind,
      {
        fields: fields.replaceAll(': string', '').replaceAll(';', ','),
        meaning: commentText(comment),
      },
    ]),
  );
}

/** What stands above the maker of a handler. */
function meaningOf(text) {
  const [, comment = ''] =
    /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/)\nexport function \w+Handler/.exec(text) ?? [];
  return commentText(comment);
}

function handlerOf(root, kind) {
  const found = readdirSync(join(root, 'services'))
    .map((service) => `services/${service}/src/handlers/${kind}.ts`)
    .filter((file) => existsSync(join(root, file)));
  if (found.length !== 1) throw new Error(`${kind} has ${found.length} handler files`);
  return found[0];
}
