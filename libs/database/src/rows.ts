import type {
  DeploymentStatus,
  InstanceStatus,
  Phase,
  ReleaseStatus,
  TaskStatus,
  TaskType,
  Verdict,
  WorkflowStatus,
} from '@floy/domain';

/** What asked for a deployment. */
export type Origin =
  'deployment' | 'rollback' | 'release' | 'instance-rollback' | 'catch-up' | 'webhook';

/** The origins whose deployments `/deployments` and `/tasks` list; the others have lists of their own. */
export const listedOrigins: readonly Origin[] = ['deployment', 'rollback', 'webhook'];

/** Rows as Postgres answers them; the schema says what each column means. */
export interface DeploymentRow {
  id: string;
  version_id: string | null;
  environment_id: string;
  origin: Origin;
  rollback_of: string | null;
  status: DeploymentStatus;
  phase: Phase;
  auto_rollback: boolean;
  cancelled: boolean;
  rollback_on_cancel: boolean;
  paused_at: Date | null;
  approved: boolean;
  promoted: boolean;
  aborted: boolean;
  /** Who did each of these; empty where nobody did. */
  cancelled_by: string;
  paused_by: string;
  approved_by: string;
  promoted_by: string;
  aborted_by: string;
  force: boolean;
  round: number;
  snapshot: Buffer | null;
  created_by: string;
  error_message: string;
  waiting_for: string;
  queued_at: Date;
  created_at: Date;
  updated_at: Date;
  started_at: Date | null;
  completed_at: Date | null;
  settled_at: Date | null;
  deadline_at: Date | null;
}

export interface WorkflowRow {
  id: string;
  deployment_id: string;
  status: WorkflowStatus;
  created_at: Date;
  updated_at: Date;
}

export interface TaskRow {
  id: string;
  deployment_id: string;
  workflow_id: string;
  application_id: string;
  type: TaskType;
  status: TaskStatus;
  depends_on: string[];
  undo_of: string | null;
  round: number;
  scheduled_at: Date | null;
  not_run: boolean;
  payload: string;
  result: string;
  error_message: string;
  artifact_sha256: string | null;
  image: string | null;
  commit: string | null;
  inputs: string;
  plan: ReleasePlan | null;
  position: number;
  timeout_seconds: number;
  created_at: Date;
  updated_at: Date;
  started_at: Date | null;
  completed_at: Date | null;
  deadline_at: Date | null;
}

/** What a deploy task needs to make its release; ids, names and numbers only, no secret. */
export interface ReleasePlan {
  /** The type of environment whose deployer carries it out. */
  deployer: string;
  service: string;
  versionId: string | null;
  /** The label that people see. */
  version: string;
  environmentId: string;
  batchSize: string;
  bakeSeconds: number;
  maxFailures: string;
  approval: boolean;
  /** Whether who made or retried the deployment cannot be the one to approve it. */
  secondPerson: boolean;
  /** The first batch is one instance, on which a command runs for all. */
  runOnce: boolean;
  timeoutSeconds: number;
  retryCount: number;
  instances: {
    instanceId: string;
    targetId: string;
    /** What is put there, where it is not what this deployment built (rollback, undo). */
    contentReleaseId: string | null;
  }[];
}

export interface ReleaseRow {
  id: string;
  deployment_id: string;
  task_id: string;
  application_id: string;
  environment_id: string;
  deployer: string;
  version_id: string | null;
  version: string;
  service: string;
  status: ReleaseStatus;
  undo: boolean;
  round: number;
  artifact_sha256: string | null;
  image: string | null;
  rendered: Buffer | null;
  snapshot: Buffer | null;
  batches: number[];
  bake_seconds: number;
  max_failures: number;
  approval: boolean;
  run_once: boolean;
  timeout_seconds: number;
  retry_count: number;
  bake_until: Date | null;
  looked: boolean;
  advanced_at: Date;
  files_at: Date;
  error_message: string;
  created_at: Date;
  updated_at: Date;
  completed_at: Date | null;
}

export interface InstanceRow {
  id: string;
  release_id: string;
  deployment_id: string;
  target_id: string;
  content_release_id: string;
  instance_id: string;
  batch: number;
  position: number;
  status: InstanceStatus;
  step: string;
  failed_step: string;
  touched: boolean;
  verdict: Verdict | null;
  stopping: boolean;
  looking: boolean;
  sickened_at: Date | null;
  observed: 'new' | 'other' | null;
  observed_version: string;
  from_release_id: string | null;
  attempts: number;
  error_message: string;
  unreachable: string;
  begun_at: Date | null;
  started_at: Date | null;
  updated_at: Date;
  completed_at: Date | null;
  deadline_at: Date | null;
}

export interface TargetRow {
  id: string;
  kind: string;
  place_key: string;
  /** Only its deployer knows what it means. */
  place: Readonly<Record<string, unknown>>;
  environment_id: string;
  application_id: string;
  instance_id: string;
  claimed: boolean;
  current_release_id: string | null;
  last_good_release_id: string | null;
  observed_at: Date | null;
  asked: string;
}
