import { messageCatalogue, type MessageKind, type QueueName } from '@floy/contracts';
import type { Database } from '@floy/database/database';
import type { HandlerOf, HandlersOf, LongHandler, OnceHandler, ShortHandler } from './handlers.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { doLongWork } from './long-work.js';
import type { QueueBackend } from './queue-backend.js';
import { doOnce, doShortWork } from './short-work.js';

export interface Consumer {
  /** Takes no more work, hands over what is in work, and waits until that is done. */
  stop(): Promise<void>;
}

export interface ConsumeDeps {
  database: Database;
  backend: QueueBackend;
  keeper: LeaseKeeper;
  /** Told about every error of a handler; the message itself is taken care of. */
  onError(error: unknown, message: { kind: string; id: string }): void;
}

/** Takes the messages of one queue and hands each to the handler of its kind. */
export function consume<Q extends QueueName>(
  deps: ConsumeDeps,
  queue: Q,
  handlers: HandlersOf<Q>,
  options: { concurrency: number },
): Consumer {
  const { database, backend, keeper } = deps;
  const byKind = handlers as unknown as Record<string, HandlerOf<MessageKind>>;
  const stopping = new AbortController();

  async function process(job: { id: string; kind: string; redelivered: boolean }): Promise<void> {
    // Only Postgres is believed: whatever a forged or stale job says, the row decides.
    if (!isKind(job.kind) || messageCatalogue[job.kind].queue !== queue) return;
    const message = { id: job.id, kind: job.kind };
    const handler = byKind[job.kind] as unknown;
    try {
      switch (messageCatalogue[job.kind].work) {
        case 'short':
          return await doShortWork(
            database,
            handler as ShortHandler<MessageKind>,
            message,
            job.redelivered,
          );
        case 'long':
          return await doLongWork(
            { database, keeper },
            handler as LongHandler<MessageKind>,
            message,
            stopping.signal,
          );
        case 'once':
          return await doOnce(
            database,
            handler as OnceHandler<MessageKind>,
            message,
            stopping.signal,
          );
      }
    } catch (error) {
      deps.onError(error, message);
    }
  }

  const worker = backend.worker(queue, process, options);
  return {
    async stop() {
      stopping.abort();
      const closed = worker.close();
      keeper.abortAll('this process stops');
      await closed;
    },
  };
}

function isKind(kind: string): kind is MessageKind {
  return Object.hasOwn(messageCatalogue, kind);
}
