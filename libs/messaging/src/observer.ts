import type { MessageKind, MessagePayloads } from '@floy/contracts';
import type { Backlog } from './relay.js';

/**
 * What became of a message that was taken up: `later`, it comes back at a time it asked for;
 * `error`, counted, it comes back soon; `dead`, given up, its `dead` has ended the work;
 * `given-back`, for an outage or because this process stops, nothing is counted; `lost`, another
 * goes on with it.
 */
export type WorkOutcome = 'done' | 'later' | 'error' | 'dead' | 'given-back' | 'lost';

/** A message as every line about its work names it: its ids, and those of its payload. */
export interface WorkMessage {
  readonly message_id: string;
  readonly kind: string;
  readonly [id: string]: string;
}

/** Is told what happens to messages. May not throw. */
export interface WorkObserver {
  /**
   * A message was taken up.
   *
   * @param waitedSeconds since it was due; after a dead worker, that one's time included
   */
  took(message: WorkMessage, waitedSeconds: number): void;
  /** Its work ended here, after so many seconds in hand. */
  ended(
    message: WorkMessage,
    end: { readonly outcome: WorkOutcome; readonly seconds: number; readonly error?: unknown },
  ): void;
  /** Postgres or the queue was away: for a kind of message, the relay, the leases, the listener. */
  outage(seenBy: string, error: unknown, message?: WorkMessage): void;
  /** A lease was taken over from a holder that is dead, or that is alive and let it run out. */
  tookOver(message: WorkMessage, from: string, because: 'dead' | 'expired'): void;
  /** What is due and in nobody's hands, of every kind that has any; told every few seconds. */
  backlog(backlog: readonly Backlog[]): void;
  /** A holder was found dead, and its leases on these subjects were let run out. */
  holderDied(holder: string, subjects: readonly string[]): void;
}

/** Tells an observer about one message. */
export interface WorkReport {
  /** The message as far as it is known by now. */
  message(): WorkMessage;
  took(row: { payload: MessagePayloads[MessageKind]; waited: number }): void;
  ended(outcome: WorkOutcome, error?: unknown): void;
  outage(error: unknown): void;
  tookOver(from: string, because: 'dead' | 'expired'): void;
}

export function createReport(
  observer: WorkObserver,
  { id, kind }: { id: string; kind: MessageKind },
): WorkReport {
  let message: WorkMessage = { message_id: id, kind };
  let since = performance.now();
  return {
    message: () => message,
    took({ payload, waited }) {
      message = { message_id: id, kind, ...payload };
      since = performance.now();
      observer.took(message, Math.max(waited, 0));
    },
    ended(outcome, error) {
      observer.ended(message, { outcome, seconds: (performance.now() - since) / 1000, error });
    },
    outage: (error) => observer.outage(kind, error, message),
    tookOver: (from, because) => observer.tookOver(message, from, because),
  };
}
