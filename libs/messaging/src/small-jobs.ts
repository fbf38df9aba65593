import { Job, type JobJson, type JobProgress, Queue, Worker } from 'bullmq';

/** Floy's own jobs have some 50 characters. */
const LONGEST_FIELD = 1000;

/** The part of BullMQ's backend that asks Redis; what it answers is parsed right after. */
interface Asking {
  execCommand(client: unknown, command: string, words: unknown[]): Promise<unknown>;
}

/**
 * A worker that gets small jobs in whole, and of others no more than the small fields. Others may be
 * able to write to the queue, and BullMQ parses data, options, progress, parent and traces of each job:
 * a hundred megabytes of brackets would hold the process up for minutes. A job without data asks for
 * nothing.
 */
export class SmallJobWorker<D> extends Worker<D> {
  constructor(...words: ConstructorParameters<typeof Worker<D>>) {
    super(...words);
    const asking = this.backend as unknown as Asking;
    const ask = asking.execCommand.bind(asking);
    asking.execCommand = async (...asked) => withoutLong(await ask(...asked));
  }
}

/** The answer with a job, as a list of names and values, has that first. */
function withoutLong(answer: unknown): unknown {
  if (!Array.isArray(answer) || !Array.isArray(answer[0])) return answer;
  const [job, ...rest] = answer as [unknown[], ...unknown[]];
  const isLong = (value: unknown) => typeof value === 'string' && value.length > LONGEST_FIELD;
  return [job.map((value) => (isLong(value) ? '' : value)), ...rest];
}

class SmallJob<D, R, N extends string, P extends JobProgress> extends Job<D, R, N, P> {
  static override fromJSON<T, R, N extends string>(
    queue: Parameters<typeof Job.fromJSON>[0],
    json: JobJson,
    jobId?: string,
  ): Job<T, R, N> {
    const isSmall = typeof json.data === 'string' && json.data.length <= LONGEST_FIELD;
    return super.fromJSON<T, R, N>(queue, isSmall ? json : { ...json, data: '{}' }, jobId);
  }
}

/** A queue whose jobs are looked at, which the board does, but no long data of theirs. */
export class SmallJobQueue extends Queue {
  protected override get Job(): typeof Job {
    return SmallJob;
  }
}
