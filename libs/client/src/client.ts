import type {
  Application,
  ApplicationListResponse,
  AuditListResponse,
  CommandResult,
  CreatedToken,
  CreateApplicationRequest,
  CreateDeploymentRequest,
  CreateEnvironmentRequest,
  CreateTokenRequest,
  CreateVersionRequest,
  Deleted,
  Deployment,
  DeploymentInfo,
  DeploymentListResponse,
  DeploymentProgress,
  Environment,
  EnvironmentListResponse,
  Event,
  EventListResponse,
  HealthCheckResult,
  HostKey,
  PinnedKeysResponse,
  ApproveHostKeyRequest,
  RestartServiceRequest,
  RunCommandRequest,
  ServiceStatus,
  Task,
  TaskListResponse,
  TaskLogLine,
  TaskLogResponse,
  TokenListResponse,
  UpdateApplicationRequest,
  UpdateEnvironmentRequest,
  UploadArtifactRequest,
  Version,
  VersionListResponse,
  Workflow,
} from '@floy/contracts';
import { liveItems, type LiveOptions } from './live-events.js';
import { call, type CallOptions, type ClientOptions } from './transport.js';
import { waitForDeployment, type WaitOptions } from './wait-for-deployment.js';

type Query = NonNullable<CallOptions['query']>;
type Once = Pick<CallOptions, 'idempotencyKey'>;
export type Steering = 'promote' | 'pause' | 'resume' | 'abort' | 'approve';
export type { ClientOptions } from './transport.js';

/** The API of Floy, typed. Every call throws ApiError where the answer is no. */
export type Client = ReturnType<typeof createClient>;

/** A client of one Floy with one token. */
export function createClient(options: ClientOptions) {
  const get = <T>(path: string, query: Query = {}) => call<T>(options, 'GET', path, { query });
  const put = <T>(path: string, body: unknown) => call<T>(options, 'PUT', path, { body });
  const remove = (path: string) => call<Deleted>(options, 'DELETE', path);
  const post = <T>(path: string, body: unknown = {}, once: Once = {}) =>
    call<T>(options, 'POST', path, { body, ...once });
  const at = (strings: TemplateStringsArray, ...values: string[]) =>
    String.raw({ raw: strings }, ...values.map(encodeURIComponent));

  return {
    createVersion: (body: CreateVersionRequest, once?: Once) =>
      post<Version>('/versions', body, once),
    listVersions: (query?: Query) => get<VersionListResponse>('/versions', query),
    getVersion: (id: string) => get<Version>(at`/versions/${id}`),
    deleteVersion: (id: string) => remove(at`/versions/${id}`),

    createApplication: (body: CreateApplicationRequest, once?: Once) =>
      post<Application>('/applications', body, once),
    listApplications: (query?: Query) => get<ApplicationListResponse>('/applications', query),
    getApplication: (id: string) => get<Application>(at`/applications/${id}`),
    updateApplication: (id: string, body: UpdateApplicationRequest) =>
      put<Application>(at`/applications/${id}`, body),
    deleteApplication: (id: string) => remove(at`/applications/${id}`),

    createEnvironment: (body: CreateEnvironmentRequest, once?: Once) =>
      post<Environment>('/environments', body, once),
    listEnvironments: (query?: Query) => get<EnvironmentListResponse>('/environments', query),
    getEnvironment: (id: string) => get<Environment>(at`/environments/${id}`),
    updateEnvironment: (id: string, body: UpdateEnvironmentRequest) =>
      put<Environment>(at`/environments/${id}`, body),
    deleteEnvironment: (id: string) => remove(at`/environments/${id}`),

    createDeployment: (body: CreateDeploymentRequest, once?: Once) =>
      post<Deployment>('/deployments', body, once),
    listDeployments: (query?: Query) => get<DeploymentListResponse>('/deployments', query),
    getDeployment: (id: string) => get<Deployment>(at`/deployments/${id}`),
    cancelDeployment: (id: string, body: { rollback?: boolean } = {}) =>
      post<Deployment>(at`/deployments/${id}/cancel`, body),
    rollbackDeployment: (id: string, targetVersionId: string) =>
      post<Deployment>(at`/deployments/${id}/rollback`, { target_version_id: targetVersionId }),
    steerDeployment: (id: string, steering: Steering) =>
      post<Deployment>(at`/deployments/${id}/${steering}`),
    getProgress: (id: string) => get<DeploymentProgress>(at`/deployments/${id}/progress`),
    getDeploymentInfo: (id: string) => get<DeploymentInfo>(at`/deployments/${id}/info`),
    getHealth: (id: string) => get<HealthCheckResult>(at`/deployments/${id}/health`),
    listEvents: async (id: string, query?: Query) =>
      (await get<EventListResponse>(at`/deployments/${id}/events`, query)).events,
    /** The history of a deployment and then what happens, until the signal aborts. */
    events: (id: string, live?: LiveOptions) =>
      liveItems<Event>(options, at`/deployments/${id}/events`, live),
    /** Resolves with the deployment when it has ended and every target has its verdict. */
    waitForDeployment: (id: string, wait?: WaitOptions) => waitForDeployment(options, id, wait),

    getWorkflow: (id: string) => get<Workflow>(at`/workflows/${id}`),
    getWorkflowOf: (deploymentId: string) =>
      get<Workflow>(at`/deployments/${deploymentId}/workflow`),
    cancelWorkflow: (id: string) => post<Workflow>(at`/workflows/${id}/cancel`),
    retryWorkflow: (id: string) => post<Workflow>(at`/workflows/${id}/retry`),

    listTasks: (query?: Query) => get<TaskListResponse>('/tasks', query),
    getTask: (id: string) => get<Task>(at`/tasks/${id}`),
    retryTask: (id: string) => post<Task>(at`/tasks/${id}/retry`),
    getTaskLogs: (id: string, query?: Query) => get<TaskLogResponse>(at`/tasks/${id}/logs`, query),
    /** What a task printed and then what it prints, until it ends. */
    taskLogs: (id: string, live?: LiveOptions) =>
      liveItems<TaskLogLine>(options, at`/tasks/${id}/logs`, live),

    getServiceStatus: async (environmentId: string, service: string, query?: Query) =>
      (
        await get<{ statuses: ServiceStatus[] }>(
          at`/environments/${environmentId}/services/${service}/status`,
          query,
        )
      ).statuses,
    restartService: async (
      environmentId: string,
      service: string,
      body: RestartServiceRequest = {},
    ) =>
      (
        await post<{ results: CommandResult[] }>(
          at`/environments/${environmentId}/services/${service}/restart`,
          body,
        )
      ).results,
    runCommand: async (environmentId: string, body: RunCommandRequest, once?: Once) =>
      (
        await post<{ results: CommandResult[] }>(
          at`/environments/${environmentId}/commands`,
          body,
          once,
        )
      ).results,
    uploadArtifact: async (environmentId: string, body: UploadArtifactRequest) =>
      (await post<{ results: CommandResult[] }>(at`/environments/${environmentId}/artifacts`, body))
        .results,
    listHostKeys: async (environmentId: string) =>
      (await get<PinnedKeysResponse>(at`/environments/${environmentId}/host-keys`)).host_keys,
    approveHostKey: (environmentId: string, body: ApproveHostKeyRequest) =>
      post<HostKey>(at`/environments/${environmentId}/host-keys`, body),

    createToken: (body: CreateTokenRequest) => post<CreatedToken>('/tokens', body),
    listTokens: (query?: Query) => get<TokenListResponse>('/tokens', query),
    revokeToken: (id: string) => remove(at`/tokens/${id}`),
    listAudit: (query?: Query) => get<AuditListResponse>('/audit', query),
  };
}
