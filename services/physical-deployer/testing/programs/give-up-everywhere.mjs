import { setTimeout as wait } from 'node:timers/promises';
import { Readable } from 'node:stream';
import { makeKey } from './keys.mjs';
import { connectSsh } from '../../dist/ssh/ssh-client.js';
import { numbersOf } from './seeds.mjs';

/**
 * Makes connections to a hostile server, gives them up anywhere, and says as JSON what reached the
 * process, how the connections ended and what is left open. Words: port, first seed, how many.
 */
const [port, first, total] = process.argv.slice(2).map(Number);
const privateKey = makeKey();
const uncaught = [];
process.on('uncaughtException', (error) => uncaught.push(String(error.stack)));
process.on('unhandledRejection', (error) => uncaught.push(String(error?.stack ?? error)));

const ends = new Map();
const AT_ONCE = 48;

async function one(seed, leastPatience = 0) {
  const next = numbersOf(seed);
  const giveUp = new AbortController();
  const patience = Math.max(leastPatience, next() < 0.5 ? 1000 : 400 * next());
  const timer = setTimeout(() => giveUp.abort(new Error('given up')), patience);
  const verify = async () => {
    if (next() < 0.7) await wait(250 * next());
    if (next() < 0.1) throw new Error('refused');
  };
  const connection = { host: '127.0.0.1', port, user: 'floy', privateKey };
  try {
    const client = await connectSsh(connection, verify, giveUp.signal);
    const size = 100_000;
    const input = { size, open: () => Readable.from([Buffer.alloc(size)]) };
    const runs = [client.run('true', { timeoutMs: Math.max(leastPatience, 150) })];
    if (next() < 0.3) runs.push(client.run('floy_ask', { timeoutMs: 150, input }));
    if (next() < 0.3) runs.push(client.dial('127.0.0.1', 1, AbortSignal.timeout(100)));
    if (next() < 0.3) setTimeout(() => client.close(), 30 * next());
    const results = await Promise.allSettled(runs);
    for (const { reason } of results) if (reason !== undefined) note(reason);
    note(results[0].status);
    client.close();
  } catch (error) {
    note(error);
  } finally {
    clearTimeout(timer);
  }
}

function note(end) {
  const text = String(end?.message ?? end).slice(0, 60);
  ends.set(text, (ends.get(text) ?? 0) + 1);
}

let seed = first;
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (seed < first + total) await one((seed += 1));
  }),
);
// On a busy machine all were given up: some get the time to be carried out.
for (let more = 0; more < 30 && !ends.has('fulfilled'); more += 1) await one((seed += 1), 3000);
// What is said goodbye to may take two seconds until it is closed.
let open = [];
for (let looks = 0; looks < 50; looks += 1) {
  open = process.getActiveResourcesInfo().filter((kind) => /TCP/.test(kind));
  if (open.length === 0) break;
  await wait(100);
}
process.stdout.write(`${JSON.stringify({ uncaught, ends: Object.fromEntries(ends), open })}\n`);
process.exit(0);
