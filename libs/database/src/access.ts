import type { Knex } from 'knex';
import type { Database } from './database.js';
import type { Transaction } from './transaction.js';

/** Runs work in a transaction: one of its own, or the caller's. */
export type Transact = <T>(work: (tx: Transaction) => Promise<T>) => Promise<T>;

/** How the record is read and changed: by the pool, or inside of one transaction. */
export interface Access {
  readonly knex: Knex;
  readonly transact: Transact;
}

/** Each read and each change by itself. */
export function accessTo({ knex, transaction }: Database): Access {
  return { knex, transact: transaction };
}

/** Every read and every change inside of this transaction. */
export function accessWithin(tx: Transaction): Access {
  return { knex: tx.knex, transact: (work) => work(tx) };
}
