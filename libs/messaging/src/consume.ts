import type { MessageKind, QueueName } from '@floy/contracts';
import type { Database } from '@floy/database/database';
import { UnavailableError } from '@floy/domain';
import type { HandlerOf, HandlersOf, LongHandler, OnceHandler, ShortHandler } from './handlers.js';
import type { LeaseKeeper } from './lease-keeper.js';
import { doLongWork } from './long-work.js';
import { putOffForOutage } from './message-row.js';
import { createReport, type WorkObserver } from './observer.js';
import { isOutage } from './outages.js';
import type { QueueBackend } from './job-queue.js';
import { doOnce, doShortWork } from './short-work.js';

export interface Consumer {
  /** Takes no more work, hands over what is in work, and waits until that is done. */
  stop(): Promise<void>;
}

export interface ConsumeDeps {
  database: Database;
  backend: QueueBackend;
  keeper: LeaseKeeper;
  observer: WorkObserver;
}

/** Takes the messages of one queue and hands each to the handler of its kind. */
export function consume<Q extends QueueName>(
  { database, backend, keeper, observer }: ConsumeDeps,
  queue: Q,
  handlers: HandlersOf<Q>,
  options: { concurrency: number },
): Consumer {
  const byKind = handlers as unknown as Record<string, HandlerOf<MessageKind>>;
  const definitions = new Map(Object.entries(database.catalogues.messages));
  const stopping = new AbortController();

  async function process(job: { id: string; kind: string; redelivered: boolean }): Promise<void> {
    // Only Postgres is believed: whatever a forged or stale job says, the row decides.
    const definition = definitions.get(job.kind);
    if (definition?.queue !== queue) return;
    const message = { id: job.id, kind: job.kind as MessageKind };
    const handler = byKind[job.kind] as unknown;
    const report = createReport(observer, message);
    const deps = { database, keeper, report };
    const since = performance.now();
    try {
      // Taken before this was known: it would wait here, and others may be better off.
      if (!keeper.isConnected()) throw new UnavailableError('Postgres is out of reach from here');
      switch (definition.work) {
        case 'short':
          return await doShortWork(
            deps,
            handler as ShortHandler<MessageKind>,
            message,
            job.redelivered,
          );
        case 'long':
          return await doLongWork(
            deps,
            handler as LongHandler<MessageKind>,
            message,
            stopping.signal,
          );
        case 'once':
          return await doOnce(deps, handler as OnceHandler<MessageKind>, message, stopping.signal);
      }
    } catch (error) {
      // How it ended could not be written: the relay brings it back, or the end of its lease does.
      if (!isOutage(error, keeper, since)) return report.ended('error', error);
      report.outage(error);
      report.ended('given-back', error);
      if (!keeper.isConnected()) return;
      await database.transaction((tx) => putOffForOutage(tx, message.id)).catch(() => undefined);
    }
  }

  const worker = backend.worker(queue, process, options);
  // Cut off from Postgres it would only take jobs away from others.
  const unlisten = keeper.onConnection((is) => (is ? worker.resume() : worker.pause()));
  return {
    async stop() {
      stopping.abort();
      unlisten();
      const closed = worker.close();
      keeper.abortAll('this process stops');
      await closed;
    },
  };
}
