import type { Application } from './resources/application.js';
import type {
  CreateDeploymentRequest,
  Deployment,
  DeploymentStatus,
} from './resources/deployment.js';
import type { Environment, EnvironmentType } from './resources/environment.js';
import type { Task, TaskStatus, TaskType } from './resources/task.js';
import type { Version } from './resources/version.js';

/** One page of a list, newest first; both count from 1. */
export interface Page {
  readonly page: number;
  readonly pageSize: number;
}

/** The items of one page, and how many there are on all of them. */
export interface Listed<T> {
  readonly items: T[];
  readonly total: number;
}

export interface VersionFilter extends Page {
  readonly repository?: string;
}
export interface ApplicationFilter extends Page {
  readonly repository?: string;
  readonly type?: string;
}
export interface EnvironmentFilter extends Page {
  readonly type?: EnvironmentType;
  readonly isActive?: boolean;
}
export interface DeploymentFilter extends Page {
  readonly status?: DeploymentStatus;
  readonly environmentId?: string;
  readonly versionId?: string;
}
export interface TaskFilter extends Page {
  readonly deploymentId?: string;
  readonly status?: TaskStatus;
  readonly type?: TaskType;
}

/** What a new thing says; ids and times are given to it. */
export type NewVersion = Omit<Version, 'id' | 'created_at'>;
/** What a row gets when it is stored, and what follows from its config. */
type Given = 'id' | 'created_at' | 'updated_at' | 'unknown_keys';
export type NewApplication = Omit<Application, Given>;
export type NewEnvironment = Omit<Environment, Given>;

/** `getById` and `delete` throw NotFoundError; a duplicate is a ConflictError. */
export interface VersionRepository {
  create(version: NewVersion): Promise<Version>;
  getById(id: string): Promise<Version>;
  list(filter: VersionFilter): Promise<Listed<Version>>;
  /** ConflictError while a deployment names it. */
  delete(id: string): Promise<void>;
}

export type ApplicationChange = Pick<Application, 'id' | 'name' | 'type' | 'config'>;
export type EnvironmentChange = Pick<Environment, 'id' | 'name' | 'config' | 'is_active'>;

/** Configs hold their secrets here; who answers a request redacts them. */
export interface ApplicationRepository {
  create(application: NewApplication): Promise<Application>;
  getById(id: string): Promise<Application>;
  list(filter: ApplicationFilter): Promise<Listed<Application>>;
  /** Replaces name, type and config. */
  update(application: ApplicationChange): Promise<Application>;
  delete(id: string): Promise<void>;
}

export interface EnvironmentRepository {
  create(environment: NewEnvironment): Promise<Environment>;
  getById(id: string): Promise<Environment>;
  list(filter: EnvironmentFilter): Promise<Listed<Environment>>;
  /** Replaces name, config and is_active. */
  update(environment: EnvironmentChange): Promise<Environment>;
  delete(id: string): Promise<void>;
}

/** Statuses are written by transitions: `update` is a ConflictError for one that is not a legal next. */
export interface DeploymentRepository {
  create(deployment: NewDeployment): Promise<Deployment>;
  getById(id: string): Promise<Deployment>;
  list(filter: DeploymentFilter): Promise<Listed<Deployment>>;
  update(deployment: Pick<Deployment, 'id' | 'status' | 'error_message'>): Promise<void>;
}

/** What a new deployment says; everything else about it follows. */
export type NewDeployment = Pick<
  Deployment,
  'version_id' | 'application_ids' | 'environment_id' | 'created_by'
> &
  Pick<CreateDeploymentRequest, 'force'>;

/** Tasks are made by planning their workflow, all of them at once. */
export interface TaskRepository {
  create(task: NewTask): Promise<Task>;
  getById(id: string): Promise<Task>;
  list(filter: TaskFilter): Promise<Listed<Task>>;
  /** ConflictError where the transition table has no such next status. */
  update(task: Pick<Task, 'id' | 'status' | 'result'>): Promise<void>;
  getByDeploymentId(deploymentId: string): Promise<Task[]>;
}

/** What a new task says. */
export type NewTask = Pick<
  Task,
  'deployment_id' | 'application_id' | 'type' | 'payload' | 'depends_on'
>;
