import type {
  DeploymentStatus,
  InstanceStatus,
  Phase,
  ReleaseStatus,
  TaskStatus,
  TaskType,
  Verdict,
  WorkflowStatus,
} from './states.js';

/** Milliseconds since the epoch, by Postgres' clock. */
export type Millis = number;

/** A deployment and everything below its lock, as the fold sees it. */
export interface DeploymentTree {
  deployment: DeploymentNode;
  workflow: { id: string; status: WorkflowStatus } | null;
  tasks: TaskNode[];
  /** The newest release of every deploy task that has one. */
  releases: ReleaseNode[];
}

export interface DeploymentNode {
  id: string;
  status: DeploymentStatus;
  phase: Phase;
  autoRollback: boolean;
  cancelled: boolean;
  rollbackOnCancel: boolean;
  pausedAt: Millis | null;
  approved: boolean;
  promoted: boolean;
  aborted: boolean;
  /** Who did that; empty where nobody did, or Floy itself. */
  by: { approved: string; aborted: string; paused: string };
  deadlineAt: Millis | null;
  waitingFor: string;
}

export interface TaskNode {
  id: string;
  type: TaskType;
  applicationId: string;
  status: TaskStatus;
  dependsOn: string[];
  /** The deploy task that this one undoes. */
  undoOf: string | null;
  /** Handed to a runner or turned into a release. */
  scheduled: boolean;
  /** Why it failed; empty where it did not. */
  errorMessage: string;
  deadlineAt: Millis | null;
}

export interface ReleaseNode {
  id: string;
  taskId: string;
  status: ReleaseStatus;
  undo: boolean;
  service: string;
  /** The label that people see. */
  version: string;
  /** Sizes of the batches, in order; their sum is the number of instances. */
  batches: number[];
  bakeSeconds: number;
  maxFailures: number;
  approval: boolean;
  /** The first batch is one instance, on which something runs for all of them. */
  runOnce: boolean;
  timeoutSeconds: number;
  /** No further batch is switched until then. */
  bakeUntil: Millis | null;
  /** Since the last switch, the instances that were switched have been handed out to be looked at. */
  looked: boolean;
  /** When an instance last moved on. */
  advancedAt: Millis;
  errorMessage: string;
  instances: InstanceNode[];
}

export interface InstanceNode {
  id: string;
  /** For people. */
  name: string;
  targetId: string;
  /** Those of one batch are switched at once. */
  batch: number;
  status: InstanceStatus;
  /** Its target may have been switched by this release. */
  touched: boolean;
  verdict: Verdict | null;
  /** Its running step is being ended on the target. */
  stopping: boolean;
  /** Its switch had succeeded, and it is being looked at again. */
  looking: boolean;
  /** Its switch had succeeded, but a later look did not find it healthy: it counts as failed. */
  sickened: boolean;
  /** When its status became final. */
  endedAt: Millis | null;
  /** What could be returned to, when this release began here. */
  hasLastGood: boolean;
  errorMessage: string;
  /** What `current` was seen pointing to after the work ended: this release, another one, or not seen. */
  observed: 'new' | 'other' | null;
  /** A deployer has begun the work. */
  started: boolean;
  /** Until then the running step, the stopping of it, or a look has to be over. */
  deadlineAt: Millis | null;
}
