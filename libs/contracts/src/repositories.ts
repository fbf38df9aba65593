import type { Application } from './resources/application.js';
import type { Deployment, DeploymentStatus } from './resources/deployment.js';
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

/** `getById` and `delete` throw NotFoundError; a duplicate is a ConflictError. */
export interface VersionRepository {
  create(version: Version): Promise<void>;
  getById(id: string): Promise<Version>;
  list(filter: VersionFilter): Promise<Listed<Version>>;
  /** ConflictError while a deployment names it. */
  delete(id: string): Promise<void>;
}

/** Configs hold their secrets here; who answers a request redacts them. */
export interface ApplicationRepository {
  create(application: Application): Promise<void>;
  getById(id: string): Promise<Application>;
  list(filter: ApplicationFilter): Promise<Listed<Application>>;
  update(application: Application): Promise<void>;
  delete(id: string): Promise<void>;
}

export interface EnvironmentRepository {
  create(environment: Environment): Promise<void>;
  getById(id: string): Promise<Environment>;
  list(filter: EnvironmentFilter): Promise<Listed<Environment>>;
  update(environment: Environment): Promise<void>;
  delete(id: string): Promise<void>;
}

/** Statuses are written by transitions alone: `update` takes those that are legal next ones. */
export interface DeploymentRepository {
  create(deployment: NewDeployment): Promise<void>;
  getById(id: string): Promise<Deployment>;
  list(filter: DeploymentFilter): Promise<Listed<Deployment>>;
  update(deployment: Pick<Deployment, 'id' | 'status' | 'error_message'>): Promise<void>;
}

/** What a new deployment says; everything else about it follows. */
export type NewDeployment = Pick<
  Deployment,
  'id' | 'version_id' | 'application_ids' | 'environment_id' | 'created_by'
>;

export interface TaskRepository {
  create(task: NewTask): Promise<void>;
  getById(id: string): Promise<Task>;
  list(filter: TaskFilter): Promise<Listed<Task>>;
  update(task: Pick<Task, 'id' | 'status' | 'result'>): Promise<void>;
  getByDeploymentId(deploymentId: string): Promise<Task[]>;
}

/** What a new task says. */
export type NewTask = Pick<Task, 'id' | 'deployment_id' | 'application_id' | 'type' | 'payload'>;
