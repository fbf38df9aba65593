import {
  subjectOf,
  type Catalogues,
  type Deployers,
  type EventData,
  type EventType,
  type MessageKind,
  type MessagePayloads,
} from '@floy/contracts';
import type { Knex } from 'knex';
import type pg from 'pg';
import type { CommitEffects, Nudge, OutgoingMessage } from './after-commit.js';
import { writingEvents, writingMessages, type NewMessage } from './commit-statements.js';
import { newId } from './ids.js';
import { createQueriesOn } from './queries.js';
import { changesOf, rowOf, rowsOf, type AnswersOf, type Statement } from './statement.js';
import {
  createRunStatement,
  isStalePlan,
  type Answer,
  type RunStatement,
  type Statements,
} from './statements.js';

/** A line of history: its data is what the catalogue says for its type. */
export type NewEvent<T extends EventType = EventType> = {
  /** Whose history: a deployment's id, or an environment's for what belongs to no deployment. */
  readonly stream: string;
  readonly type: T;
  /** The id of what it happened to. */
  readonly subject: string;
  /** Who caused it; empty for Floy itself. */
  readonly actor?: string;
} & (object extends EventData<T>
  ? { readonly data?: EventData<T> }
  : { readonly data: EventData<T> });

/**
 * One transaction. Statements are sent one after the other; those that travel together are given to
 * one call of `together`. A second call while the first one is not answered yet is a mistake of the
 * caller, who would rely on an order that nobody can see, and it throws.
 */
export interface Transaction {
  /** Who puts releases where, by type of environment. */
  readonly deployers: Deployers;
  /** Builds queries for statements; one that is awaited by itself fails. */
  readonly build: Knex;
  /** Builds queries and runs them here. */
  readonly knex: Knex;
  /**
   * Carries out all of them in this order, in one trip to Postgres and back. Each sees what those
   * before it have done, and what others had committed when it began.
   */
  together<S extends readonly Statement<unknown>[]>(...statements: S): Promise<AnswersOf<S>>;
  rows<T extends object>(sql: string, values?: readonly unknown[]): Promise<T[]>;
  /** The only row, or undefined. */
  row<T extends object>(sql: string, values?: readonly unknown[]): Promise<T | undefined>;
  /** How many rows a statement changed. */
  execute(sql: string, values?: readonly unknown[]): Promise<number>;
  /** A statement whose answer nobody needs: carried out with the last ones before the commit. */
  atEnd(sql: string, values?: readonly unknown[]): void;
  /** Adds a message: at once, or not before `at`. */
  send<K extends MessageKind>(kind: K, payload: MessagePayloads[K], at?: Date): void;
  /** Adds a line of history; written by the last statements before the commit. */
  event<T extends EventType>(event: NewEvent<T>): void;
  nudge(nudge: Nudge): void;
  /** Postgres' clock when the transaction began. */
  now(): Promise<Date>;
}

const maxRuns = 8;

/** What transactions run on. */
export interface Connections {
  connect(): Promise<pg.PoolClient>;
  readonly statements: Statements;
  /** A knex that only builds. */
  readonly build: Knex;
  readonly catalogues: Catalogues;
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
    const effects: CommitEffects = { messages: [], nudges: [], events: [] };
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
  const connection = await connections.connect();
  const send = createRunStatement(connection, connections.statements);
  /** Why nothing is sent any more: outside of the transaction it would happen by itself. */
  let over: Error | undefined;
  const run: RunStatement = (sql, values) => (over ? Promise.reject(over) : send(sql, values));
  let broken: Error | undefined;
  try {
    // Travels with the first statement. Alone it fails only with its connection.
    const begun = send('BEGIN');
    begun.catch((error: Error) => (over = error));
    const { tx, last } = createTransaction(connections, run, effects);
    const value = await work(tx);
    // Where one of the last statements fails, Postgres answers the COMMIT by ROLLBACK.
    const answers = sendAll(run, [...last(), commit]);
    over ??= new Error('The transaction is over');
    await Promise.allSettled([begun, ...answers]);
    await begun;
    const committed = (await Promise.all(answers)).at(-1);
    if (committed?.command !== 'COMMIT')
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

const commit = changesOf('COMMIT');

/** Sends statements in their order without waiting in between, so that they travel together. */
function sendAll(run: RunStatement, statements: readonly Statement<unknown>[]): Promise<Answer>[] {
  return statements.map(({ sql, values }) => run(sql, values));
}

function createTransaction(
  { build, catalogues }: Connections,
  run: RunStatement,
  effects: CommitEffects,
) {
  const outbox: NewMessage[] = [];
  const history: NewEvent[] = [];
  const atEnd: Statement<number>[] = [];
  let knex: Knex | undefined;
  let startedAt: Date | undefined;
  let unanswered = false;

  async function together<S extends readonly Statement<unknown>[]>(
    ...statements: S
  ): Promise<AnswersOf<S>> {
    if (unanswered) {
      throw new Error(
        'A statement of this transaction is not answered yet: wait for it, or send both together',
      );
    }
    unanswered = true;
    try {
      const answers = await Promise.all(sendAll(run, statements));
      return statements.map(({ read }, at) => read(answers[at]!)) as AnswersOf<S>;
    } finally {
      unanswered = false;
    }
  }

  const alone = async <R>(statement: Statement<R>): Promise<R> => (await together(statement))[0];
  const tx: Transaction = {
    deployers: catalogues.deployers,
    build,
    get knex() {
      return (knex ??= createQueriesOn((sql, values = []) =>
        alone({ sql, values, read: (answer) => answer }),
      ));
    },
    together,
    rows: (sql, values) => alone(rowsOf(sql, values)),
    row: (sql, values) => alone(rowOf(sql, values)),
    execute: (sql, values) => alone(changesOf(sql, values)),
    atEnd: (sql, values) => void atEnd.push(changesOf(sql, values)),
    send(kind, payload, at) {
      const subject = subjectOf(catalogues.messages, kind, payload);
      const text = JSON.stringify(payload);
      outbox.push({ id: newId('msg'), kind, subject, payload: text, at: at ?? null });
    },
    event: (event) => void history.push(event as NewEvent),
    nudge: (nudge) => void effects.nudges.push(nudge),
    async now() {
      startedAt ??= (await tx.row<{ now: Date }>('SELECT now()'))?.now ?? new Date(NaN);
      return startedAt;
    },
  };

  /** What was gathered: nothing of it is needed by anything but the commit. */
  function last(): Statement<unknown>[] {
    const due = outbox.filter(({ at }) => at === null);
    effects.messages.push(...due.map(({ id, kind }): OutgoingMessage => ({ id, kind, claims: 0 })));
    effects.events.push(...history);
    const streams = [...new Set(history.map(({ stream }) => stream))].sort();
    effects.nudges.push(...streams.map((id): Nudge => ({ topic: 'stream', id })));
    return [
      ...atEnd,
      ...(outbox.length > 0 ? [writingMessages(outbox)] : []),
      ...streams.map((stream) => {
        return writingEvents(
          stream,
          history.filter((event) => event.stream === stream),
        );
      }),
    ];
  }

  return { tx, last };
}

/**
 * Whether another run of the same transaction may succeed: deadlock, serialization failure, or a
 * statement that was prepared before the schema grew.
 */
function isConflict(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === '40P01' || code === '40001' || isStalePlan(error);
}
