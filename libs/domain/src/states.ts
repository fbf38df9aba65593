/**
 * Every state and every legal change of state, as data (law 3). The database writes a status only by
 * compare-and-set against this table, and a trigger generated from it is the second wall.
 */
export const transitions = {
  deployment: {
    pending: ['running', 'failed'],
    running: ['success', 'failed', 'rolled_back'],
    // Decisions of a user: a rollback that succeeded marks what it rolled back; a retry reopens.
    success: ['rolled_back'],
    failed: ['pending'],
    rolled_back: ['pending'],
  },
  workflow: {
    pending: ['running', 'success', 'failed', 'cancelled'],
    running: ['success', 'failed', 'cancelled'],
    success: [],
    failed: ['pending'],
    cancelled: ['pending'],
  },
  task: {
    // pending → success: a build whose artifact exists already.
    pending: ['running', 'success', 'failed'],
    running: ['success', 'failed'],
    // success → pending: a deploy task that was undone, when its deployment is retried.
    success: ['pending'],
    failed: ['pending'],
  },
  release: {
    pending: ['in_progress', 'completed', 'failed', 'cancelled'],
    in_progress: ['completed', 'failed', 'cancelled'],
    completed: [],
    failed: [],
    cancelled: [],
  },
  instance: {
    pending: ['staging', 'failed', 'cancelled'],
    // staging → succeeded: the very same release was seen healthy there, so nothing was touched.
    staging: ['staged', 'succeeded', 'failed', 'cancelled'],
    staged: ['switching', 'failed', 'cancelled'],
    switching: ['succeeded', 'failed', 'cancelled'],
    succeeded: [],
    failed: [],
    cancelled: [],
  },
} as const satisfies Record<string, Record<string, readonly string[]>>;

export type Machine = keyof typeof transitions;
export type StatusOf<M extends Machine> = keyof (typeof transitions)[M] & string;

/** Seeds' DeploymentStatus. */
export type DeploymentStatus = StatusOf<'deployment'>;
/** Seeds' WorkflowStatus. */
export type WorkflowStatus = StatusOf<'workflow'>;
/** Seeds' TaskStatus. */
export type TaskStatus = StatusOf<'task'>;
/** Seeds' five states of a release or rollback. */
export type ReleaseStatus = StatusOf<'release'>;
/** `staging` and `switching` mean: handed to a deployer, waiting for one or in work. */
export type InstanceStatus = StatusOf<'instance'>;

export type TaskType = 'build' | 'test' | 'deploy';
/** What a target was left with when its deployment was settled. */
export type Verdict = 'untouched' | 'reverted' | 'new' | 'unknown';
/**
 * Where a deployment is on its way, beside its status: `stopping` ends the work of a cancelled one,
 * `undoing` brings touched targets back, `done` is settled.
 */
export type Phase = 'queued' | 'forward' | 'stopping' | 'undoing' | 'done';

/** The states from which `to` may be reached. */
export function statesBefore<M extends Machine>(machine: M, to: StatusOf<M>): StatusOf<M>[] {
  const table: Record<string, readonly string[]> = transitions[machine];
  return Object.keys(table).filter((from) => table[from]?.includes(to)) as StatusOf<M>[];
}

const finals: Record<Machine, readonly string[]> = {
  deployment: ['success', 'failed', 'rolled_back'],
  workflow: ['success', 'failed', 'cancelled'],
  task: ['success', 'failed'],
  release: ['completed', 'failed', 'cancelled'],
  instance: ['succeeded', 'failed', 'cancelled'],
};

/** Whether a status is an end, left only by the decisions that the table names. */
export function isFinal<M extends Machine>(machine: M, status: StatusOf<M>): boolean {
  return finals[machine].includes(status);
}
