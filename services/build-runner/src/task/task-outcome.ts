import type { TaskKept } from '@floy/contracts';
import type { NewBuild } from '@floy/database/builds';

/** How a build or test has ended. */
export interface TaskOutcome {
  readonly status: 'success' | 'failed';
  /** JSON, as the task shows it. */
  readonly result: string;
  /** For the work that comes after it. */
  readonly kept: TaskKept;
  /** A build to be found again by its key. */
  readonly build?: NewBuild;
}
