import { messageCatalogue, type MessageCatalogue, type MessageKind } from '@floy/contracts';
import { UnavailableError } from '@floy/domain';
import type { OutgoingMessage, Publisher } from '@floy/database/after-commit';
import type { JobQueue, QueueBackend } from './job-queue.js';

/** Longer than this a publish is given up: the relay does it again. Milliseconds. */
const publishTimeoutMs = 1500;

export interface BusPublisher extends Publisher {
  /** The kinds of messages that this process works on. */
  ownKinds(): MessageKind[];
  /** The queues themselves, for the board. */
  readonly queues: ReadonlyMap<string, JobQueue>;
  close(): Promise<void>;
}

/**
 * Puts committed messages on their queues. The job's id is `<id>.<claims>`: publishing a message
 * again while it waits does nothing, and a copy of one that was claimed meanwhile is a new job.
 *
 * @param hasWorker whether this process takes jobs from a queue
 */
export function createPublisher(
  backend: QueueBackend,
  catalogue: MessageCatalogue = messageCatalogue,
  hasWorker: (queue: string) => boolean = () => false,
): BusPublisher {
  const names = new Set(Object.values(catalogue).map(({ queue }) => queue));
  const queues = new Map([...names].map((name) => [name, backend.queue(name)]));
  return {
    queues,
    ownKinds: () =>
      Object.entries(catalogue)
        .filter(([, { queue }]) => hasWorker(queue))
        .map(([kind]) => kind as MessageKind),
    async publish(messages) {
      const batches = new Map<string, OutgoingMessage[]>();
      for (const message of messages) {
        const queue = catalogue[message.kind]?.queue;
        // A newer Floy beside this one has sent it, and publishes it itself.
        if (queue === undefined) continue;
        batches.set(queue, [...(batches.get(queue) ?? []), message]);
      }
      await Promise.all(
        [...batches].map(([name, batch]) =>
          withTimeout(
            queues
              .get(name)
              ?.add(
                batch.map((message) => ({ ...message, jobId: `${message.id}.${message.claims}` })),
              ) ?? Promise.resolve(),
          ),
        ),
      );
    },
    async close() {
      await Promise.allSettled([...queues.values()].map((queue) => queue.close()));
    },
  };
}

async function withTimeout(publish: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new UnavailableError('The queue did not take the messages in time')),
      publishTimeoutMs,
    );
  });
  try {
    await Promise.race([publish, late]);
  } finally {
    clearTimeout(timer);
  }
}
