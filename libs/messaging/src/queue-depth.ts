import type { BusPublisher } from './publisher.js';

/** How many jobs a queue has. */
export interface QueueDepth {
  readonly queue: string;
  /** Published, and not taken by a worker yet. */
  readonly waiting: number;
  /** Handed to a worker. */
  readonly active: number;
}

/** The depth of every queue, in one trip each. Fails where the queue's server cannot be reached. */
export function readQueueDepths({ queues }: Pick<BusPublisher, 'queues'>): Promise<QueueDepth[]> {
  return Promise.all(
    [...queues].map(async ([queue, { bullmq }]) => {
      const { waiting = 0, active = 0 } = await bullmq.getJobCounts('waiting', 'active');
      return { queue, waiting, active };
    }),
  );
}
