import { UnavailableError } from '@floy/domain';
import type { Queue, WorkerOptions } from 'bullmq';
import type { JobProcessor, JobQueue, JobWorker } from './job-queue.js';

/** What a job carries: the message's id, nothing else (law 1). */
export interface JobData {
  id: string;
}

/**
 * Jobs are gone however they end, history is in Postgres. Short locks and a high stall count make a
 * killed worker's short jobs come back within seconds, as often as it takes; the message's own
 * counter is what ends poison. (BullMQ's defaults: 30 s, and failed for good at the second stall.)
 */
export const workerOptions = {
  autorun: false,
  lockDuration: 5000,
  stalledInterval: 3000,
  maxStalledCount: 1_000_000,
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
  runRetryDelay: 1000,
} satisfies Partial<WorkerOptions>;

export const jobOptions = { attempts: 1, removeOnComplete: true, removeOnFail: true };

/** Hands a job of BullMQ to what carries out its message. */
export function processJob(process: JobProcessor) {
  return (job: { data: JobData; name: string; attemptsStarted: number }): Promise<void> =>
    process({ id: job.data.id, kind: job.name, redelivered: job.attemptsStarted > 1 });
}

/** A queue that tells of its failures by UnavailableError. */
export function jobQueue(
  queue: Queue,
  { mend, waits }: Pick<JobQueue, 'mend' | 'waits'>,
): JobQueue {
  quiet(queue);
  return {
    async add(jobs) {
      const bulk = jobs.map(({ kind, jobId, id }) => ({
        name: kind,
        data: { id },
        opts: { jobId },
      }));
      await queue.addBulk(bulk).catch((error: unknown) => Promise.reject(queueIsAway(error)));
    },
    waits,
    mend,
    bullmq: queue,
    close: () => queue.close(),
  };
}

/** The part of BullMQ's worker that is the same on both backends. */
interface BullWorker {
  on(event: 'error', listener: () => void): unknown;
  run(): Promise<void>;
  resume(): Promise<void>;
  pause(doNotWaitActive: boolean): Promise<void>;
  close(force?: boolean): Promise<void>;
}

/** A worker whose connection looks after itself. */
export function jobWorker(worker: BullWorker): JobWorker {
  quiet(worker);
  // `resume` starts it and waits for nothing: what ends it must not end the process.
  const run = worker.run.bind(worker);
  worker.run = () => run().catch(() => undefined);
  return {
    resume: () => void worker.resume(),
    pause: () => void worker.pause(true),
    close: (force) => worker.close(force),
  };
}

/** What every failure to publish is: the relay does it again. */
export function queueIsAway(cause: unknown): UnavailableError {
  return new UnavailableError('The queue cannot be reached right now', {}, { cause });
}

/** Errors of a queue's connection are none of ours: it reconnects, and behind it is the relay. */
function quiet<T extends { on(event: 'error', listener: () => void): unknown }>(emitter: T): T {
  emitter.on('error', () => undefined);
  return emitter;
}
