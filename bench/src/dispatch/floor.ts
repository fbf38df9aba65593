import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { Queue, Worker } from 'bullmq';
import pg from 'pg';
import type { BenchRun } from '../bench.js';
import { listenForFirstByte } from './first-byte.js';
import type { SharedServers } from './servers.js';

/** Measures the floor once. Milliseconds. */
export type Floor = () => Promise<FloorTimes>;

export interface FloorTimes {
  readonly insert: number;
  readonly hops: number;
  readonly connect: number;
  readonly total: number;
}

/**
 * The rows that a POST of a deployment with one application writes: deployment, its application, two
 * messages, event, its stream's counter, line of audit.
 */
const ROWS = 7;
/** start-deployment, start-workflow, stage-instance. */
const HOPS = 3;
/** About what such a row holds. */
const TEXT = 'x'.repeat(160);

/**
 * What no implementation on the same servers can be faster than: one durable transaction that
 * inserts as many rows, the same number of jobs handed from worker to worker, a TCP connection and
 * a byte on it. Its connections are open and warm; nothing is decided, read or encoded on the way.
 */
export async function prepareFloor(run: BenchRun, servers: SharedServers): Promise<Floor> {
  const sql = new pg.Client({ connectionString: servers.postgresUrl });
  await sql.connect();
  run.onEnd(() => sql.end());
  await sql.query(
    'CREATE TABLE bench_floor (id text PRIMARY KEY, text text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())',
  );
  const listener = await listenForFirstByte();
  run.onEnd(() => listener.close());

  const jobOptions = { attempts: 1, removeOnComplete: true, removeOnFail: true };
  const connection = { url: servers.redisUrl, maxRetriesPerRequest: null };
  let arrived: () => void = () => undefined;
  const queues = Array.from(
    { length: HOPS },
    (_, hop) => new Queue(`bench-hop-${hop + 1}`, { connection, defaultJobOptions: jobOptions }),
  );
  const workers = queues.map((queue, hop) => {
    const next = queues[hop + 1];
    return new Worker(
      queue.name,
      async () => {
        if (next === undefined) arrived();
        else await next.add('hop', { id: randomUUID() });
      },
      { connection, concurrency: 16 },
    );
  });
  run.onEnd(() => Promise.all([...workers, ...queues].map((each) => each.close())));
  await Promise.all([...workers, ...queues].map((each) => each.waitUntilReady()));

  return async () => {
    const began = performance.now();
    await sql.query('BEGIN');
    await sql.query(
      'INSERT INTO bench_floor (id, text) SELECT id, text FROM unnest($1::text[], $2::text[]) AS t(id, text)',
      [Array.from({ length: ROWS }, () => randomUUID()), Array<string>(ROWS).fill(TEXT)],
    );
    await sql.query('COMMIT');
    const inserted = performance.now();
    await new Promise<void>((resolve, reject) => {
      arrived = resolve;
      queues[0]!.add('hop', { id: randomUUID() }).catch(reject);
    });
    const hopped = performance.now();
    const piece = listener.nextPiece();
    const socket = connect({ host: '127.0.0.1', port: listener.port, noDelay: true });
    socket.write('SSH-2.0-floor\r\n');
    const ended = await piece;
    socket.destroy();
    return {
      insert: inserted - began,
      hops: hopped - inserted,
      connect: ended - hopped,
      total: ended - began,
    };
  };
}
