import type { Queue } from 'bullmq';

/** A message on its way to a worker. */
export interface Job {
  /** The message's. */
  readonly id: string;
  readonly kind: string;
  readonly jobId: string;
  /** How often the relay has published it, this time included. */
  readonly publishes?: number;
}

/** A queue to put jobs on; the same id again does nothing while the first is there. */
export interface JobQueue {
  /** Throws UnavailableError where the queue did not take them. */
  add(jobs: readonly Job[]): Promise<void>;
  /** Whether this job is on the queue still. Throws where that cannot be told. */
  waits(jobId: string): Promise<boolean>;
  /**
   * Puts right what keeps jobs from being taken, at the price of those that are on the queue: the
   * relay brings them back.
   */
  mend(): Promise<void>;
  /** For the board only. */
  readonly bullmq: Queue;
  close(): Promise<void>;
}

/** Takes jobs off a queue, from its first `resume` on. */
export interface JobWorker {
  resume(): void;
  /** Takes no more; what is in work goes on. */
  pause(): void;
  /** Waits for jobs in work; with `force` it does not. */
  close(force?: boolean): Promise<void>;
}

/** `redelivered` is true where the queue hands a job out that was begun before. */
export type JobProcessor = (job: {
  id: string;
  kind: string;
  redelivered: boolean;
}) => Promise<void>;

export interface QueueBackend {
  readonly kind: 'redis' | 'postgres';
  /**
   * Throws where the server cannot be used (an evicting Redis loses jobs), and UnavailableError
   * where it is away.
   */
  check(): Promise<void>;
  queue(name: string): JobQueue;
  worker(name: string, process: JobProcessor, options: { concurrency: number }): JobWorker;
  /** Answers within a second whether the queue's server can be reached. */
  reachable(): Promise<boolean>;
  close(): Promise<void>;
}
