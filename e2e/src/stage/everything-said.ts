import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { serverAt } from '@floy/testing/server-at';
import type { Fleet } from './fleet.js';

/** A text that came out of Floy, and where it was found. */
export type Said = readonly [where: string, text: string];

/** What stands for `{id}` below each collection of the API; other parameters by their names. */
export interface KnownIds {
  readonly ids: Readonly<Record<string, readonly string[]>>;
  readonly parameters: Readonly<Record<string, string>>;
}

/** The log of every process, whole. */
export function saidInLogs(fleet: Fleet): Said[] {
  return fleet.processes.map(({ name, log }) => [
    `log of ${name}`,
    log.map((line) => JSON.stringify(line)).join('\n'),
  ]);
}

/** Every row of every table, as text: bytes in hexadecimal digits. */
export async function saidInPostgres(fleet: Fleet): Promise<Said[]> {
  const tables = await fleet.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
     WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  );
  const said: Said[] = [];
  for (const { name } of tables) {
    const rows = await fleet.query<{ text: string }>(`SELECT t::text AS text FROM ${name} t`);
    said.push([`table ${name}`, rows.map(({ text }) => text).join('\n')]);
  }
  return said;
}

/** The answers of every GET of the API, as JSON and live, and of the queues' board. */
export async function saidByApi(fleet: Fleet, known: KnownIds): Promise<Said[]> {
  const { url, token } = fleet.access;
  const get = async (path: string, accept: string): Promise<Said> => {
    const headers = { Authorization: `Bearer ${token}`, Accept: accept };
    const response = await fetch(`${url}${path}`, { headers });
    const text = await readUntilQuiet(response);
    return [`GET ${path} (${accept}, ${response.status})`, text];
  };
  const [, document] = await get('/api/v1/openapi.json', 'application/json');
  const { paths } = JSON.parse(document) as {
    paths: Record<string, { get?: { responses: Record<string, { content?: object }> } }>;
  };
  const said: Said[] = [];
  for (const [path, { get: operation }] of Object.entries(paths)) {
    if (!operation) continue;
    const streams = JSON.stringify(operation.responses).includes('text/event-stream');
    for (const filled of fill(path, known)) {
      said.push(await get(filled, 'application/json'));
      if (streams) said.push(await get(filled, 'text/event-stream'));
    }
  }
  said.push(await get('/admin/queues/api/queues', 'application/json'));
  return said;
}

/** How long a live stream may say nothing before it has said all. Milliseconds. */
const quietMs = 400;

/** The whole answer; of a stream that does not end what it has to say of the past. */
async function readUntilQuiet(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  const live = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  const parts: Uint8Array[] = [];
  for (;;) {
    const timer = setTimeout(() => void reader?.cancel(), live ? quietMs : 20_000);
    const read = await reader?.read();
    clearTimeout(timer);
    if (!read?.value) return Buffer.concat(parts).toString('utf8');
    parts.push(read.value);
  }
}

function fill(path: string, { ids, parameters }: KnownIds): string[] {
  const full = path.startsWith('/api/') ? path : `/api/v1${path}`;
  const collection = full.split('/')[3] ?? '';
  const named = full.replace(/\{(\w+)\}/g, (whole, name: string) => parameters[name] ?? whole);
  if (!named.includes('{')) return [named];
  const known = ids[collection];
  if (!known || named.replace('{id}', '').includes('{'))
    throw new Error(`say what stands for the parameters of ${path}`);
  return known.map((id) => named.replace('{id}', id));
}

/** Everything that is sent to a Redis from now on, and at the end what it keeps. */
export async function listenToRedis(fleet: Fleet): Promise<{ stop(): Promise<Said[]> }> {
  const { redis } = fleet;
  if (!redis) throw new Error('the fleet has no Redis');
  const url = new URL(redis.url);
  const socket = connect(serverAt(redis.url));
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  const auth = url.password ? `AUTH ${decodeURIComponent(url.password)}\r\n` : '';
  socket.write(`${auth}MONITOR\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  return {
    async stop() {
      socket.destroy();
      await redis.command('SAVE');
      const [, folder] = (await redis.command('CONFIG', 'GET', 'dir')) as string[];
      const files: Said[] = [];
      for (const entry of await readdir(folder ?? '', { recursive: true, withFileTypes: true })) {
        const file = join(entry.parentPath, entry.name);
        if (entry.isFile()) files.push([`file ${file}`, await readFile(file, 'latin1')]);
      }
      return [['commands sent to Redis', Buffer.concat(parts).toString('latin1')], ...files];
    },
  };
}
