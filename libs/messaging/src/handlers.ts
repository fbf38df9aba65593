import type {
  messageCatalogue,
  KindsOf,
  MessageKind,
  MessagePayloads,
  QueueName,
} from '@floy/contracts';
import type { Database } from '@floy/database/database';
import type { Lease } from '@floy/database/leases';
import type { Transaction } from '@floy/database/transaction';
import type { WorkMessage } from './observer.js';

/** What a short handler answers: done, or come back at a time (without spending an attempt). */
export type Outcome = { done: true } | { later: Date };

/** Acts in one transaction together with the message's `done_at`: its effect happens once. */
export interface ShortHandler<K extends MessageKind> {
  handle(tx: Transaction, payload: MessagePayloads[K]): Promise<Outcome>;
  /** The message was given up: makes, once, the change that ends its work. */
  dead(tx: Transaction, payload: MessagePayloads[K], reason: string): Promise<void>;
}

/** One worker's right to act on the subject of a message, while it lasts. */
export interface Work {
  readonly lease: Lease;
  /** The ids that every line of the log about this work carries. */
  readonly message: WorkMessage;
  /** How often the message was taken up, this time included. */
  readonly claims: number;
  /** Aborts with a LeaseLostError when the right is gone, or when this process has to stop. */
  readonly signal: AbortSignal;
  readonly database: Database;
  /** Throws unless the lease is known to be ours at this moment. */
  assertHeld(): void;
  /** Runs `attempt` again for as long as Postgres is away and the lease is not known to be lost. */
  throughOutages<T>(attempt: () => Promise<T>): Promise<T>;
  /** Writes the result, refused by the epoch: one transaction with the end of lease and message. */
  finish(write: (tx: Transaction) => Promise<void>): Promise<void>;
  /**
   * Has the message come back at a time, without spending an attempt, instead of holding a worker
   * until then: lease and claim are given back in one transaction, refused by the epoch. A copy
   * that is on its queue already may come earlier, so look at the time when it is begun.
   */
  later(at: Date): Promise<void>;
}

/** Takes the lease of the message's subject and works outside of any transaction. */
export interface LongHandler<K extends MessageKind> {
  /** In the transaction that takes the lease. False where there is nothing left to do. */
  begin(tx: Transaction, payload: MessagePayloads[K]): Promise<boolean>;
  /**
   * Has to end with `work.finish` or `work.later`. What it throws is an error of the work, and
   * counted, unless an adapter said that Postgres was away (UnavailableError).
   */
  run(work: Work, payload: MessagePayloads[K]): Promise<void>;
  dead(tx: Transaction, payload: MessagePayloads[K], reason: string): Promise<void>;
}

/** Is done when it begins: an answer that comes too late is worth nothing. */
export interface OnceHandler<K extends MessageKind> {
  run(payload: MessagePayloads[K], signal: AbortSignal): Promise<void>;
}

type Catalogue = typeof messageCatalogue;

export type HandlerOf<K extends MessageKind> = Catalogue[K]['work'] extends 'short'
  ? ShortHandler<K>
  : Catalogue[K]['work'] extends 'long'
    ? LongHandler<K>
    : OnceHandler<K>;

/** One handler for every kind on a queue: leaving one out does not compile. */
export type HandlersOf<Q extends QueueName> = { [K in KindsOf<Q>]: HandlerOf<K> };
