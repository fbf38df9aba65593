import type {
  Application,
  ApplicationListResponse,
  CreateApplicationRequest,
  ListApplicationsRequest,
  UpdateApplicationRequest,
} from './resources/application.js';
import type {
  CreateDeploymentRequest,
  Deployment,
  DeploymentInfo,
  DeploymentListResponse,
  DeploymentProgress,
  DeploymentStatus,
  HealthCheckResult,
  ListDeploymentsRequest,
  RollbackRequest,
} from './resources/deployment.js';
import type {
  CreateEnvironmentRequest,
  Environment,
  EnvironmentListResponse,
  ListEnvironmentsRequest,
  UpdateEnvironmentRequest,
} from './resources/environment.js';
import type { Artifact, CommandResult, ServiceStatus } from './resources/physical.js';
import type { ListTasksRequest, Task, TaskListResponse, TaskStatus } from './resources/task.js';
import type {
  ListVersionsRequest,
  Version,
  VersionListResponse,
  WholeVersionRequest,
} from './resources/version.js';
import type { Workflow, WorkflowStatus } from './resources/workflow.js';

/**
 * The module interfaces of the platform, under their names. The first argument `ctx` of the
 * originals is the actor here: who asks. Failures are the errors of `@floy/domain`.
 */
export interface Actor {
  /** The owner of the token, shown as `created_by`. */
  readonly name: string;
  readonly tokenId: string | null;
}

export interface VersionService {
  createVersion(actor: Actor, request: WholeVersionRequest): Promise<Version>;
  getVersionList(request: ListVersionsRequest): Promise<VersionListResponse>;
  getVersion(id: string): Promise<Version>;
  deleteVersion(id: string): Promise<void>;
}

export interface ApplicationService {
  createApplication(request: CreateApplicationRequest): Promise<Application>;
  getApplicationList(request: ListApplicationsRequest): Promise<ApplicationListResponse>;
  getApplication(id: string): Promise<Application>;
  updateApplication(id: string, request: UpdateApplicationRequest): Promise<Application>;
  deleteApplication(id: string): Promise<void>;
}

export interface EnvironmentService {
  createEnvironment(request: CreateEnvironmentRequest): Promise<Environment>;
  getEnvironmentList(request: ListEnvironmentsRequest): Promise<EnvironmentListResponse>;
  getEnvironment(id: string): Promise<Environment>;
  updateEnvironment(id: string, request: UpdateEnvironmentRequest): Promise<Environment>;
  deleteEnvironment(id: string): Promise<void>;
}

export interface DeploymentService {
  createDeployment(actor: Actor, request: CreateDeploymentRequest): Promise<Deployment>;
  getDeploymentList(request: ListDeploymentsRequest): Promise<DeploymentListResponse>;
  getDeployment(id: string): Promise<Deployment>;
  /** Without `rollback: false`, targets are returned to their last good version. */
  cancelDeployment(actor: Actor, id: string, options?: CancelOptions): Promise<Deployment>;
  rollbackDeployment(actor: Actor, id: string, request: RollbackRequest): Promise<Deployment>;
}

export interface CancelOptions {
  readonly rollback?: boolean;
}

export interface TaskService {
  getTaskList(request: ListTasksRequest): Promise<TaskListResponse>;
  getTask(id: string): Promise<Task>;
  retryTask(actor: Actor, id: string): Promise<Task>;
}

/** What becomes of deployments. Webhooks join it with the part that receives them. */
export interface DeploymentManager {
  /** Begins a pending deployment if its turn has come; else it `waits`, or is no longer pending. */
  startDeployment(deploymentId: string): Promise<'admitted' | 'waits' | 'gone'>;
  cancelDeployment(actor: Actor, deploymentId: string, options?: CancelOptions): Promise<void>;
  /** ConflictError for a status that only work itself can reach. */
  updateDeploymentStatus(
    deploymentId: string,
    status: DeploymentStatus,
    errorMessage: string,
  ): Promise<void>;
  getDeploymentProgress(deploymentId: string): Promise<DeploymentProgress>;
}

export interface WorkflowManager {
  createWorkflow(deployment: Pick<Deployment, 'id'>): Promise<Workflow>;
  executeWorkflow(workflowId: string): Promise<void>;
  getWorkflowStatus(workflowId: string): Promise<WorkflowStatus>;
  cancelWorkflow(actor: Actor, workflowId: string): Promise<void>;
  retryFailedTasks(actor: Actor, workflowId: string): Promise<void>;
}

/** What later work reads of a task that has ended. */
export interface TaskKept {
  readonly error_message?: string;
  readonly artifact_sha256?: string | null;
  readonly image?: string | null;
  readonly commit?: string | null;
}

export interface TaskScheduler {
  scheduleTask(task: Pick<Task, 'id'>): Promise<void>;
  /** The earliest task that waits for a runner, or null. */
  getNextTask(): Promise<Task | null>;
  /** `result` holds JSON, for people; `kept` is what later work reads. */
  updateTaskStatus(
    taskId: string,
    status: TaskStatus,
    result: string,
    kept?: TaskKept,
  ): Promise<void>;
  getTasksByDeployment(deploymentId: string): Promise<Task[]>;
}

export interface DeployRequest {
  readonly deploymentId: string;
  readonly version: Version;
  readonly applications: readonly Application[];
  readonly environment: Environment;
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * Names what to return to by an earlier deployment, or by a version: its id, its tag, or `previous`.
 */
export type RollbackDeployRequest = { readonly deploymentId: string } & (
  { readonly targetDeploymentId: string } | { readonly targetVersionId: string }
);

/** The platform's DeployResult; the release system has one of its own. */
export interface DeployResult {
  readonly success: boolean;
  readonly message: string;
  readonly deploymentId: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Deployer {
  /** Hands out whatever of the deployment is ready; does nothing where that was done. */
  deploy(request: Pick<DeployRequest, 'deploymentId'>): Promise<DeployResult>;
  /** Makes the deployment that brings an earlier version back, and answers for that one. */
  rollback(actor: Actor, request: RollbackDeployRequest): Promise<DeployResult>;
  getDeploymentInfo(deploymentId: string): Promise<DeploymentInfo>;
  healthCheck(deploymentId: string): Promise<HealthCheckResult>;
}

/**
 * `hosts` are written `host` or `host:port` as in the environment's config. Every method answers one
 * result per host: one that cannot be asked does not spoil the others.
 */
export interface PhysicalDeployer extends Deployer {
  uploadArtifact(hosts: readonly string[], artifact: Artifact): Promise<CommandResult[]>;
  executeCommand(hosts: readonly string[], command: string): Promise<CommandResult[]>;
  restartService(hosts: readonly string[], serviceName: string): Promise<CommandResult[]>;
  checkServiceStatus(hosts: readonly string[], serviceName: string): Promise<ServiceStatus[]>;
}
