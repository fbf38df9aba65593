import type { Job, JobProcessor, JobQueue, QueueBackend } from './job-queue.js';
import { probeKind, watchQueue, type Delivery } from './queue-watch.js';
import { createSlots } from './slots.js';

/** Queues whose work goes on also where they fail. */
export interface SteadyBackend extends QueueBackend {
  /** How the queues are that this process takes jobs from. */
  deliveries(): Delivery[];
  /** Whether this process takes jobs from the queue. */
  hasWorker(queue: string): boolean;
}

export interface SteadyOptions {
  /** Told when a queue of this process ceases to deliver, and when it does again. */
  tell?(delivery: Delivery): void;
  /** How often each queue is probed. Milliseconds. */
  readonly probeEveryMs?: number;
}

/**
 * How often the relay has published a message, from which on its worker may have died of it: it is
 * counted then, as one that a queue hands out again.
 */
const redeliveredFrom = 3;

/**
 * From so many times on a queue is not believed about this job, though it delivers others: somebody may
 * take jobs from it and do nothing. The worker of this process has it where it has nothing else to do.
 */
const inVainFrom = 3;

/** A worker of this process, as work is handed to it without the queue. */
interface Hand {
  /** False where it takes no more at the moment. */
  take(job: Job): boolean;
}

/**
 * Queues that are a hint and no more: a job that a queue does not take, or does not deliver, goes
 * straight to the worker of this process that would have had it, within the same number of slots.
 * Twice is once: what decides is the message's row.
 */
export function createSteadyBackend(
  backend: QueueBackend,
  { tell = () => undefined, probeEveryMs = 4000 }: SteadyOptions = {},
): SteadyBackend {
  const queues = new Map<string, JobQueue>();
  const hands = new Map<string, Set<Hand>>();
  const watches = new Map<string, ReturnType<typeof watchQueue>>();

  const handOver = (name: string, job: Job): boolean =>
    [...(hands.get(name) ?? [])].some((hand) => hand.take(job));

  return {
    ...backend,
    deliveries: () => [...watches.values()].map((watch) => watch.delivery()),
    hasWorker: (name) => (hands.get(name)?.size ?? 0) > 0,

    queue(name) {
      const queue = backend.queue(name);
      queues.set(name, queue);
      return {
        ...queue,
        async add(jobs) {
          const delivers = watches.get(name)?.delivery().delivers ?? true;
          const isBelieved = ({ publishes = 0 }: Job) => delivers && publishes < inVainFrom;
          const left = jobs.filter((job) => isBelieved(job) || !handOver(name, job));
          if (left.length === 0) return;
          try {
            await queue.add(left);
          } catch (error) {
            if (left.filter((job) => !handOver(name, job)).length > 0) throw error;
          }
        },
      };
    },

    worker(name, process, options) {
      const slots = createSlots(options.concurrency);
      const inHand = new Map<string, Promise<void>>();
      let isOpen = false;
      const inSlot: JobProcessor = async (job) => {
        if (job.kind === probeKind) return;
        await slots.take();
        await process(job).finally(() => slots.give());
      };
      const worker = backend.worker(name, inSlot, options);
      const hand: Hand = {
        take({ id, kind, publishes = 0 }) {
          if (inHand.has(id)) return true;
          if (!isOpen || !slots.tryTake()) return false;
          const done = process({ id, kind, redelivered: publishes >= redeliveredFrom })
            .catch(() => undefined)
            .finally(() => {
              slots.give();
              inHand.delete(id);
            });
          inHand.set(id, done);
          return true;
        },
      };
      hands.set(name, (hands.get(name) ?? new Set()).add(hand));
      const queue = queues.get(name);
      const watch =
        queue && watchQueue({ name, queue, wasBusy: slots.wereFull, tell, everyMs: probeEveryMs });
      if (watch) watches.set(name, watch);

      return {
        resume() {
          isOpen = true;
          watch?.resume();
          worker.resume();
        },
        pause() {
          isOpen = false;
          watch?.pause();
          worker.pause();
        },
        async close(force) {
          isOpen = false;
          watch?.pause();
          hands.get(name)?.delete(hand);
          if (watches.get(name) === watch) watches.delete(name);
          await Promise.all([worker.close(force), ...(force ? [] : inHand.values())]);
        },
      };
    },
  };
}
