import { Job, type JobJson, type JobProgress, Queue, Worker } from 'bullmq';

/** Floy's own jobs have some 50 characters. */
const LONGEST_DATA = 1000;

/**
 * A job as it comes out of a queue, which others may be able to write to: data that no job of Floy's
 * has is not parsed, since a hundred megabytes of brackets would hold the process up for minutes.
 * Such a job asks for nothing.
 */
class SmallJob<D, R, N extends string, P extends JobProgress> extends Job<D, R, N, P> {
  static override fromJSON<T, R, N extends string>(
    queue: Parameters<typeof Job.fromJSON>[0],
    json: JobJson,
    jobId?: string,
  ): Job<T, R, N> {
    const isSmall = typeof json.data === 'string' && json.data.length <= LONGEST_DATA;
    return super.fromJSON<T, R, N>(queue, isSmall ? json : { ...json, data: '{}' }, jobId);
  }
}

/** A queue whose jobs are looked at, but only small ones in whole. */
export class SmallJobQueue extends Queue {
  protected override get Job(): typeof Job {
    return SmallJob;
  }
}

/** A worker that gets small jobs in whole, and of others no data. */
export class SmallJobWorker<D> extends Worker<D> {
  protected override get Job(): typeof Job {
    return SmallJob;
  }
}
