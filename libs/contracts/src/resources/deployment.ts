import { Type, type Static } from 'typebox';
import {
  Answer,
  Closed,
  NullableText,
  NullableTimestamp,
  PageOf,
  Paging,
  RequiredText,
  Timestamp,
  Words,
} from '../schema-words.js';
import { Task } from './task.js';

/** The five states of a deployment. */
export const DeploymentStatus = Words(['pending', 'running', 'success', 'failed', 'rolled_back']);
export type DeploymentStatus = Static<typeof DeploymentStatus>;

/** One wish: bring these applications at this version to this environment. */
export const Deployment = Answer('Deployment', {
  id: Type.String(),
  version_id: Type.String(),
  application_ids: Type.Array(Type.String()),
  environment_id: Type.String(),
  status: DeploymentStatus,
  created_by: Type.String(),
  created_at: Timestamp,
  updated_at: Timestamp,
  started_at: NullableTimestamp,
  completed_at: NullableTimestamp,
  error_message: Type.String(),
  /** When every target had its verdict; null until then. */
  settled_at: NullableTimestamp,
  /** The deployment that this one rolls back, or null. */
  rollback_of: NullableText,
  /** What it waits for (another deployment, an approval, a pause), or "". */
  waiting_for: Type.String(),
  /** Who did each of these, by the owner of the token; "" where nobody did. */
  cancelled_by: Type.String(),
  paused_by: Type.String(),
  approved_by: Type.String(),
  promoted_by: Type.String(),
  aborted_by: Type.String(),
});
export type Deployment = Static<typeof Deployment>;

export const CreateDeploymentRequest = Closed(
  {
    version_id: RequiredText,
    application_ids: Type.Array(RequiredText, { minItems: 1, maxItems: 100, uniqueItems: true }),
    environment_id: RequiredText,
    force: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          'Whether instances that are healthy on the very same artifact with the same settings are switched and restarted all the same',
      }),
    ),
  },
  'CreateDeploymentRequest',
);
export type CreateDeploymentRequest = Static<typeof CreateDeploymentRequest>;

export const ListDeploymentsRequest = Closed(
  {
    status: Type.Optional(DeploymentStatus),
    environment_id: Type.Optional(RequiredText),
    version_id: Type.Optional(RequiredText),
    ...Paging,
  },
  'ListDeploymentsRequest',
);
export type ListDeploymentsRequest = Static<typeof ListDeploymentsRequest>;

export const DeploymentListResponse = Answer('DeploymentListResponse', {
  deployments: Type.Array(Deployment),
  ...PageOf,
});
export type DeploymentListResponse = Static<typeof DeploymentListResponse>;

/** Without a body, or with `rollback` true, targets are returned to their last good version. */
export const CancelDeploymentRequest = Closed(
  { rollback: Type.Optional(Type.Boolean({ default: true })) },
  'CancelDeploymentRequest',
);
export type CancelDeploymentRequest = Static<typeof CancelDeploymentRequest>;

/** `target_version_id` is the id of a version, its tag, or `previous`. */
export const RollbackRequest = Closed({ target_version_id: RequiredText }, 'RollbackRequest');
export type RollbackRequest = Static<typeof RollbackRequest>;

/** How far a deployment is; `current_task` is the earliest started task that runs, or null. */
export const DeploymentProgress = Answer('DeploymentProgress', {
  deployment_id: Type.String(),
  status: DeploymentStatus,
  total_tasks: Type.Integer(),
  completed_tasks: Type.Integer(),
  failed_tasks: Type.Integer(),
  current_task: Type.Union([Task, Type.Null()]),
  /** As the deployment says it: another deployment, a person, a host that cannot be reached. */
  waiting_for: Type.String(),
});
export type DeploymentProgress = Static<typeof DeploymentProgress>;

/** What is there now; hosts count as replicas, summed over applications. */
export const DeploymentInfo = Answer('DeploymentInfo', {
  deployment_id: Type.String(),
  status: Type.String(),
  replicas: Type.Integer(),
  ready_replicas: Type.Integer(),
  updated_at: Timestamp,
});
export type DeploymentInfo = Static<typeof DeploymentInfo>;

export const HealthCheck = Answer('HealthCheck', {
  name: Type.String(),
  status: Type.String(),
  message: Type.String(),
  /** When it was last seen, or null; nothing is looked at for this answer. */
  seen_at: NullableTimestamp,
  /** What was asked then, or "". */
  asked: Type.String(),
});
export type HealthCheck = Static<typeof HealthCheck>;

/** The last thing observed of every instance that a deployment touched. */
export const HealthCheckResult = Answer('HealthCheckResult', {
  healthy: Type.Boolean(),
  message: Type.String(),
  checks: Type.Array(HealthCheck),
});
export type HealthCheckResult = Static<typeof HealthCheckResult>;
