import { subjectOf, type MessageKind, type MessagePayloads } from '@floy/contracts';
import type { Knex } from 'knex';
import type pg from 'pg';
import type { CommitEffects, Nudge, OutgoingMessage } from './after-commit.js';
import { newId } from './ids.js';
import { createQueriesOn } from './queries.js';
import {
  createRunStatement,
  isStalePlan,
  type RunStatement,
  type Statements,
} from './statements.js';

export interface NewEvent {
  /** Whose history: a deployment's id, or an environment's for what belongs to no deployment. */
  stream: string;
  /** What happened, in the past tense: `deployment.started`. */
  type: string;
  /** The id of what it happened to. */
  subject: string;
  /** Who caused it; empty for Floy itself. */
  actor?: string;
  data?: Record<string, unknown>;
}

/**
 * One transaction. What is asked of `rows`, `row`, `execute` and `built` is carried out in the order
 * of the calls, also where they are not waited for one by one: `Promise.all([…])` is one trip to
 * Postgres and back. What goes through `knex` is sent some turns of the event loop later.
 */
export interface Transaction {
  /** Builds queries for `built`; one that is awaited by itself fails. */
  readonly build: Knex;
  /** Builds queries and runs them here. */
  readonly knex: Knex;
  rows<T extends object>(sql: string, bindings?: readonly unknown[]): Promise<T[]>;
  /** The only row, or undefined. */
  row<T extends object>(sql: string, bindings?: readonly unknown[]): Promise<T | undefined>;
  /** How many rows a statement changed. */
  execute(sql: string, bindings?: readonly unknown[]): Promise<number>;
  /** What a query of Knex' answers, and how many rows it changed. */
  built<T extends object>(query: Knex.QueryBuilder): Promise<{ rows: T[]; changed: number }>;
  /** A statement whose answer nobody needs: carried out with the last ones before the commit. */
  atEnd(sql: string, bindings?: readonly unknown[]): void;
  /** Adds a message: at once, or not before `at`. */
  send<K extends MessageKind>(kind: K, payload: MessagePayloads[K], at?: Date): void;
  /** Adds a line of history; written by the last statements before the commit. */
  event(event: NewEvent): void;
  nudge(nudge: Nudge): void;
  /** Postgres' clock when the transaction began. */
  now(): Promise<Date>;
}

/** How long a message that was published right after its commit is left alone by the relay. */
const firstRelaySeconds = 2;
const maxRuns = 8;

/** What transactions run on. */
export interface Connections {
  connect(): Promise<pg.PoolClient>;
  readonly statements: Statements;
  /** A knex that only builds. */
  readonly build: Knex;
}

/**
 * Runs `work` in one transaction, again where it met another one, and has its effects dispatched.
 */
export async function runTransaction<T>(
  connections: Connections,
  work: (tx: Transaction) => Promise<T>,
  dispatch: (effects: CommitEffects) => void,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const effects: CommitEffects = { messages: [], nudges: [] };
    try {
      const result = await runOnce(connections, work, effects);
      dispatch(effects);
      return result;
    } catch (error) {
      if (attempt >= maxRuns || !isConflict(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10 * 2 ** attempt));
    }
  }
}

async function runOnce<T>(
  connections: Connections,
  work: (tx: Transaction) => Promise<T>,
  effects: CommitEffects,
): Promise<T> {
  const { connect, statements, build } = connections;
  const connection = await connect();
  const send = createRunStatement(connection, statements);
  /** Why nothing is sent any more: outside of the transaction it would happen by itself. */
  let over: Error | undefined;
  const run: RunStatement = (sql, values) => (over ? Promise.reject(over) : send(sql, values));
  let broken: Error | undefined;
  try {
    // Travels with the first statement. Alone it fails only with its connection.
    const begun = send('BEGIN');
    begun.catch((error: Error) => (over = error));
    const { tx, finish } = createTransaction(build, run, effects);
    const value = await work(tx);
    // Travels with the last statements: where one of these fails, Postgres answers ROLLBACK.
    const last = [begun, ...finish()];
    const committed = run('COMMIT');
    over ??= new Error('The transaction is over');
    await Promise.allSettled([...last, committed]);
    await Promise.all(last);
    const { command } = await committed;
    if (command !== 'COMMIT')
      throw new Error('A statement of the transaction had failed, so that it was rolled back');
    return value;
  } catch (error) {
    over ??= new Error('The transaction is over');
    await send('ROLLBACK').catch((reason: Error) => (broken = reason));
    throw error;
  } finally {
    connection.release(broken);
  }
}

function createTransaction(build: Knex, run: RunStatement, effects: CommitEffects) {
  const outbox: {
    id: string;
    kind: MessageKind;
    subject: string;
    payload: string;
    at: Date | null;
  }[] = [];
  const history: NewEvent[] = [];
  const atEnd: [sql: string, bindings?: readonly unknown[]][] = [];
  let knex: Knex | undefined;
  let startedAt: Date | undefined;

  const tx: Transaction = {
    build,
    get knex() {
      return (knex ??= createQueriesOn(run));
    },
    rows: async <R extends object>(sql: string, bindings?: readonly unknown[]) =>
      (await run(sql, bindings)).rows as R[],
    row: async <R extends object>(sql: string, bindings?: readonly unknown[]) =>
      (await run(sql, bindings)).rows[0] as R | undefined,
    execute: async (sql, bindings) => (await run(sql, bindings)).rowCount,
    async built<R extends object>(query: Knex.QueryBuilder) {
      const { sql, bindings } = query.toSQL();
      const { rows, rowCount } = await run(sql, bindings);
      return { rows: rows as R[], changed: rowCount };
    },
    atEnd: (...statement) => void atEnd.push(statement),
    send(kind, payload, at) {
      const subject = subjectOf(kind, payload);
      outbox.push({
        id: newId('msg'),
        kind,
        subject,
        payload: JSON.stringify(payload),
        at: at ?? null,
      });
    },
    event: (event) => void history.push(event),
    nudge: (nudge) => void effects.nudges.push(nudge),
    async now() {
      startedAt ??= (await tx.row<{ now: Date }>('SELECT now()'))?.now ?? new Date(NaN);
      return startedAt;
    },
  };

  /**
   * Sends what was gathered, in one trip: nothing of it is needed by anything but the commit. What
   * cannot be sent is thrown at once, before there is a commit.
   */
  function finish(): Promise<unknown>[] {
    const streams = [...new Set(history.map(({ stream }) => stream))].sort();
    return [
      ...atEnd.map((statement) => run(...statement)),
      ...(outbox.length > 0 ? [writeMessages()] : []),
      ...streams.map(writeEvents),
    ];
  }

  function writeMessages(): Promise<unknown> {
    const due = outbox.filter(({ at }) => at === null);
    effects.messages.push(...due.map(({ id, kind }): OutgoingMessage => ({ id, kind, claims: 0 })));
    return run(
      `INSERT INTO messages (id, kind, subject, payload, due_at, publish_at)
       SELECT id, kind, subject, payload::jsonb, coalesce(at::timestamptz, clock_timestamp()),
              coalesce(at::timestamptz, clock_timestamp() + make_interval(secs => ${firstRelaySeconds}))
       FROM unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::text[]) AS m(id, kind, subject, payload, at)`,
      [
        outbox.map(({ id }) => id),
        outbox.map(({ kind }) => kind),
        outbox.map(({ subject }) => subject),
        outbox.map(({ payload }) => payload),
        outbox.map(({ at }) => at?.toISOString() ?? null),
      ],
    );
  }

  /**
   * Raising a stream's counter locks its row until the commit, so numbers commit in order and a
   * reader that has seen 7 will never be handed 6. Streams are taken in id order, as last locks.
   */
  function writeEvents(stream: string): Promise<unknown> {
    const events = history.filter((event) => event.stream === stream);
    effects.nudges.push({ topic: 'stream', id: stream });
    return run(
      `WITH raised AS (
         INSERT INTO event_streams AS s (stream, seq) VALUES (?, ?)
         ON CONFLICT (stream) DO UPDATE SET seq = s.seq + excluded.seq RETURNING seq
       )
       INSERT INTO events (stream, seq, id, type, subject, actor, data)
       SELECT ?, raised.seq - ? + e.position, e.id, e.type, e.subject, e.actor, e.data::jsonb
       FROM raised, unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::text[])
         WITH ORDINALITY AS e(id, type, subject, actor, data, position)`,
      [
        stream,
        events.length,
        stream,
        events.length,
        events.map(() => newId('evt')),
        events.map(({ type }) => type),
        events.map(({ subject }) => subject),
        events.map(({ actor }) => actor ?? ''),
        events.map(({ data }) => JSON.stringify(data ?? {})),
      ],
    );
  }

  return { tx, finish };
}

/**
 * Whether another run of the same transaction may succeed: deadlock, serialization failure, or a
 * statement that was prepared before the schema grew.
 */
function isConflict(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === '40P01' || code === '40001' || isStalePlan(error);
}
