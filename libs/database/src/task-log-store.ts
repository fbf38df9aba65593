import { UnavailableError } from '@floy/domain';
import { setTimeout as wait } from 'node:timers/promises';
import type { Database } from './database.js';
import { SlowStatementError } from './outages.js';

/** Some output of a task, masked. */
interface Piece {
  readonly taskId: string;
  readonly source: string;
  text: string;
}

/**
 * Where the logs of tasks are written, for all tasks of a process together: by one connection and
 * one transaction for all that has come since the last, so that hundreds of hosts that print at once
 * hold up nobody. What Postgres does not take now, or is too busy for, is offered again until it does.
 */
export interface TaskLogStore {
  add(piece: Readonly<Piece>): void;
  /**
   * Undefined while there is room; else resolves when there is again. Whoever can stop its source
   * has to: what is beyond the limit is lost.
   */
  room(): Promise<void> | undefined;
  /** Resolves when all that was added so far is stored, or after some time, while more is tried. */
  flush(): Promise<void>;
  /** Stores what is left; what cannot be stored then is lost. */
  close(): Promise<void>;
}

/** Told of a piece that is lost. */
type OnLost = (error: unknown, taskId: string) => void;

/** Output is gathered so long, so that chatty commands cost few transactions. Milliseconds. */
const GATHER_MS = 100;
/** So much is written at once. Characters; a Postgres of one's own takes it in some 50 ms. */
const BATCH = 512 * 1024;
/** Whoever can wait does where so much is not stored yet. Characters. */
const ROOM = 4 * 1024 * 1024;
/** And this much is kept for those who cannot. Characters. */
const MOST = 16 * 1024 * 1024;
const LONGEST_PAUSE_MS = 2000;
/** How long a work's end waits for its log, in an outage of Postgres. Milliseconds. */
const FLUSH_MS = 5000;
const CLOSE_MS = 3000;

/** Makes it; it writes by the connections of this database. */
export function createTaskLogStore(database: Database, onLost: OnLost): TaskLogStore {
  let pending: Piece[] = [];
  /** The last piece of each task that is not being written: more of the same source joins it. */
  let last = new Map<string, Piece>();
  let size = 0;
  const waiting: (() => void)[] = [];
  let added = 0;
  let stored = 0;
  let writing: Promise<void> | undefined;
  let giveUpAt = Number.POSITIVE_INFINITY;
  /** Ends the gathering: somebody waits. */
  let hurry = (): void => undefined;

  const settled = (pieces: readonly Piece[]): void => {
    for (const { text } of pieces) {
      size -= text.length;
      stored += text.length;
    }
    for (const next of waiting.splice(0)) next();
  };
  const changed = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));

  /** The oldest, as much as is written at once. */
  function take(): Piece[] {
    let length = 0;
    const past = pending.findIndex(({ text }) => (length += text.length) > BATCH);
    const batch = pending.slice(0, past === -1 ? pending.length : Math.max(1, past));
    pending = pending.slice(batch.length);
    const taken = new Set(batch);
    last = new Map([...last].filter(([, piece]) => !taken.has(piece)));
    return batch;
  }

  async function write(batch: readonly Piece[]): Promise<void> {
    for (let pause = GATHER_MS; ; pause = Math.min(LONGEST_PAUSE_MS, 2 * pause)) {
      try {
        return await append(database, batch);
      } catch (error) {
        const busy = error instanceof UnavailableError || error instanceof SlowStatementError;
        if (!busy && batch.length > 1) {
          // What one task's rows are refused for is no reason to lose the others'.
          for (const piece of batch) await write([piece]);
          return;
        }
        if (!busy || performance.now() > giveUpAt) {
          for (const { taskId } of batch) onLost(error, taskId);
          return;
        }
        await wait(pause);
      }
    }
  }

  async function writeAll(): Promise<void> {
    while (pending.length > 0) {
      await gather();
      const batch = take();
      await write(batch);
      settled(batch);
    }
    writing = undefined;
  }

  function gather(): Promise<void> {
    if (giveUpAt !== Number.POSITIVE_INFINITY) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, GATHER_MS);
      hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function flush(): Promise<void> {
    const mine = added;
    hurry();
    const late = wait(FLUSH_MS, undefined, { ref: false });
    const until = performance.now() + FLUSH_MS;
    while (stored < mine && performance.now() < until) await Promise.race([changed(), late]);
  }

  return {
    add({ taskId, source, text }) {
      if (text === '') return;
      if (size + text.length > MOST) {
        return onLost(new Error('Postgres takes too long to store it'), taskId);
      }
      size += text.length;
      added += text.length;
      const before = last.get(taskId);
      if (before?.source === source && before.text.length < BATCH) before.text += text;
      else {
        const piece = { taskId, source, text };
        pending.push(piece);
        last.set(taskId, piece);
      }
      writing ??= writeAll();
    },
    room() {
      if (size < ROOM) return undefined;
      return (async () => {
        while (size >= ROOM) await changed();
      })();
    },
    flush,
    async close() {
      giveUpAt = performance.now() + CLOSE_MS;
      hurry();
      await writing;
    },
  };
}

/** The streams' counters are raised in the same transaction, so that numbers commit in order. */
async function append(database: Database, batch: readonly Piece[]): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.execute(
      `WITH pieces AS (
         SELECT * FROM unnest(?::text[], ?::text[], ?::text[]) WITH ORDINALITY
           AS p (task_id, source, text, n)
       ), counted AS (
         SELECT task_id, count(*) AS pieces FROM pieces GROUP BY task_id ORDER BY task_id
       ), raised AS (
         INSERT INTO event_streams AS s (stream, seq)
         SELECT 'log ' || task_id, pieces FROM counted
         ON CONFLICT (stream) DO UPDATE SET seq = s.seq + EXCLUDED.seq RETURNING stream, seq
       )
       INSERT INTO task_logs (task_id, seq, source, text)
       SELECT task_id, r.seq - c.pieces + row_number() OVER (PARTITION BY task_id ORDER BY p.n),
         source, text
       FROM pieces p JOIN counted c USING (task_id) JOIN raised r ON r.stream = 'log ' || task_id`,
      [
        batch.map(({ taskId }) => taskId),
        batch.map(({ source }) => source),
        batch.map(({ text }) => text),
      ],
    );
    for (const id of new Set(batch.map(({ taskId }) => taskId))) tx.nudge({ topic: 'stream', id });
  });
}
