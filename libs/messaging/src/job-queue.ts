import type { Queue } from 'bullmq';

/** A queue to put jobs on; the same id again does nothing while the first is there. */
export interface JobQueue {
  /** Throws UnavailableError where the queue did not take them. */
  add(jobs: { kind: string; jobId: string; id: string }[]): Promise<void>;
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
