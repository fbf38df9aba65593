import type { Knex } from 'knex';
import type { Answer } from './statements.js';

/**
 * One statement and how its answer is read. It is a value: nothing is sent before a transaction is
 * given it, alone or together with others.
 */
export interface Statement<R> {
  /** `?` stands for a value. */
  readonly sql: string;
  readonly values: readonly unknown[];
  read(answer: Answer): R;
}

/** What each of several statements answers, in their order. */
export type AnswersOf<S extends readonly Statement<unknown>[]> = {
  [K in keyof S]: S[K] extends Statement<infer R> ? R : never;
};

/** Answers the only row, or undefined. */
export function rowOf<R extends object>(
  sql: string,
  values: readonly unknown[] = [],
): Statement<R | undefined> {
  return { sql, values, read: ({ rows }) => rows[0] as R | undefined };
}

/** Answers all rows. */
export function rowsOf<R extends object>(
  sql: string,
  values: readonly unknown[] = [],
): Statement<R[]> {
  return { sql, values, read: ({ rows }) => rows as R[] };
}

/** Answers how many rows were changed. */
export function changesOf(sql: string, values: readonly unknown[] = []): Statement<number> {
  return { sql, values, read: ({ rowCount }) => rowCount };
}

/** A query that Knex has built; answers its rows. */
export function builtRowsOf<R extends object>(query: Knex.QueryBuilder): Statement<R[]> {
  const { sql, bindings } = query.toSQL();
  return rowsOf<R>(sql, bindings);
}

/** A query that Knex has built; answers how many rows were changed. */
export function builtChangesOf(query: Knex.QueryBuilder): Statement<number> {
  const { sql, bindings } = query.toSQL();
  return changesOf(sql, bindings);
}

/** The same statement, whose answer is read further. */
export function reading<R, T>(statement: Statement<R>, read: (answer: R) => T): Statement<T> {
  return { ...statement, read: (answer) => read(statement.read(answer)) };
}
