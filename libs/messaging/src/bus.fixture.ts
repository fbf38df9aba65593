import { createDatabase, type Database } from '@floy/database/database';
import { createListener, type Listener } from '@floy/database/listener';
import { createLeaseKeeper, type LeaseKeeper } from './lease-keeper.js';
import type { WorkObserver } from './observer.js';
import { createPublisher, type BusPublisher } from './publisher.js';
import { createQueueBackend } from './queue-backend.js';
import type { QueueBackend } from './job-queue.js';

/** What a process opens to work on messages, for tests. */
export interface Bus {
  readonly backend: QueueBackend;
  readonly publisher: BusPublisher;
  readonly database: Database;
  readonly listener: Listener;
  /**
   * Keeps the leases of a holder; whoever asks for it stops it before the bus is closed.
   *
   * @param url of its own connection; without one, that of the database
   */
  keeper(holder: string, url?: string): LeaseKeeper;
  close(): Promise<void>;
}

/** @param queueUrl of the queue; without one, messages go over the database as well */
export async function openBus(
  url: string,
  observer: WorkObserver,
  queueUrl: string = url,
): Promise<Bus> {
  const backend = createQueueBackend(queueUrl);
  await backend.check();
  const publisher = createPublisher(backend);
  const database = createDatabase({ url, applicationName: 'test', publisher });
  const listener = createListener(url, () => undefined);
  return {
    backend,
    publisher,
    database,
    listener,
    keeper: (holder, itsUrl = url) =>
      createLeaseKeeper(
        { database: { ...database, url: itsUrl }, publisher, listener, observer },
        holder,
      ),
    async close() {
      await listener.close();
      await publisher.close();
      await database.close();
      await backend.close();
    },
  };
}
