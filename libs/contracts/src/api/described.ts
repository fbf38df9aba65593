import type { ApiText, SchemaText } from './api-text.js';
import { configSchemas } from './config-schemas.js';
import * as of from './examples.js';

function text(description: string, example: unknown, more: Partial<SchemaText> = {}): SchemaText {
  return { description, examples: { example }, ...more };
}

const ofEnvironment = { shapes: { config: ['PhysicalConfig', 'KubernetesConfig'] } };
const ofApplication = { shapes: { config: ['ApplicationConfig'] } };

const schemas: Record<string, SchemaText> = {
  CreateVersionRequest: text('A point of a repository that is to be deployed.', of.newVersion),
  Version: text('An immutable point of a repository that can be deployed.', of.version),
  VersionListResponse: text('Versions, newest first.', of.pageWith('versions', of.version)),

  CreateApplicationRequest: text(
    'Something to deploy, with how it is built, run and seen.',
    of.newApplication,
    ofApplication,
  ),
  UpdateApplicationRequest: text(
    'The fields to change; those that are left out stay as they are.',
    of.applicationChange,
    {
      ...ofApplication,
      fields: { config: 'replaces the stored one whole; `<redacted>` keeps a stored secret' },
    },
  ),
  Application: text(
    'Something deployable, built from a repository.',
    of.application,
    ofApplication,
  ),
  ApplicationListResponse: text(
    'Applications, newest first.',
    of.pageWith('applications', of.application),
  ),

  CreateEnvironmentRequest: {
    description: 'A place to deploy to: hosts over SSH, or a cluster.',
    examples: { 'hosts over SSH': of.newHosts, 'a Kubernetes cluster': of.newCluster },
    ...ofEnvironment,
  },
  UpdateEnvironmentRequest: text(
    'The fields to change; those that are left out stay as they are.',
    of.environmentChange,
    {
      ...ofEnvironment,
      fields: {
        type: 'must be the one it has',
        config: 'replaces the stored one whole; `<redacted>` keeps a stored secret',
      },
    },
  ),
  Environment: text('A place to deploy to.', of.environment, ofEnvironment),
  EnvironmentListResponse: text(
    'Environments, newest first.',
    of.pageWith('environments', of.environment),
  ),
  ApproveHostKeyRequest: text(
    'A host of the environment and the key it shows.',
    of.hostKeyApproval,
  ),
  HostKey: text('The key that is accepted from now on.', of.hostKey),
  PinnedKey: text('A pinned key and how it came to be.', of.pinnedKey),
  PinnedKeysResponse: text(
    'The pinned keys of the hosts of the environment; nothing of a host that was never reached.',
    { host_keys: [of.pinnedKey] },
  ),

  CreateDeploymentRequest: text('Which applications go where, at which version.', of.newDeployment),
  Deployment: text(
    'One wish: these applications at this version in this environment.',
    of.deployment,
    {
      fields: {
        cancelled_by: 'who cancelled it, or ""',
        paused_by: 'who paused it last, or ""',
        approved_by: 'who approved its rollout, or ""',
        promoted_by: 'who promoted it, or ""',
        aborted_by: 'who aborted its rollout, or ""',
      },
    },
  ),
  DeploymentListResponse: text(
    'Deployments, newest first.',
    of.pageWith('deployments', of.deployment),
  ),
  CancelDeploymentRequest: text(
    'Whether targets are returned to their last good version, which they are unless this says no.',
    { rollback: true },
  ),
  RollbackRequest: text('The version to go back to.', of.rollback),
  DeploymentProgress: text('How many tasks have ended, and which runs.', of.progress),
  DeploymentInfo: text('How many instances there are, and how many are ready.', of.deploymentInfo, {
    fields: { updated_at: 'when the newest of this was seen' },
  }),
  HealthCheck: text('The last look at one instance.', of.healthCheck, {
    fields: {
      name: 'the instance',
      status: 'how it was',
      message: 'in words',
      seen_at: 'when it was last seen; null where it was not yet',
      asked: 'the questions of that look, or ""',
    },
  }),
  HealthCheckResult: text('The last look at every instance it touched.', of.health, {
    fields: { message: 'how many instances are healthy' },
  }),

  Task: text('One step of a workflow, for one application.', of.task),
  TaskListResponse: text('Tasks, newest first.', of.pageWith('tasks', of.task)),
  TaskLogLine: text('A piece of the output of a task.', of.logLine),
  TaskLogResponse: text('The output of a task, secrets masked.', of.taskLog),
  Workflow: text('How a deployment is carried out: its tasks and their order.', of.workflow),
  Event: text('A line of history.', of.event, {
    fields: { type: 'the kind of change', id: 'its id' },
  }),
  EventListResponse: text('The history, oldest first.', { events: [of.event] }),

  RunCommandRequest: text('A command for a POSIX shell, and the hosts to run it on.', of.command),
  RestartServiceRequest: text('The hosts to restart it on; all of them with `{}`.', of.restart),
  UploadArtifactRequest: text('The artifact to send, and the hosts.', of.upload),
  CommandResult: text('The answer of one host.', of.commandResult),
  CommandResultsResponse: text('The answer of each host.', { results: [of.commandResult] }),
  ServiceStatus: text('The state of a service on one host.', of.serviceStatus, {
    fields: { status: 'in the words of the host' },
  }),
  ServiceStatusResponse: text('The state of the service on each host.', {
    service: 'shop',
    statuses: [of.serviceStatus],
  }),

  CreateTokenRequest: text('The owner of the new token and its role.', of.newToken),
  Token: text('A token without its secret.', of.token),
  CreatedToken: text('The token with its secret, which is shown this once.', of.createdToken),
  TokenListResponse: text('Tokens, newest first.', of.pageWith('tokens', of.token)),
  AuditEntry: text('One changing call: who, what, and how it was answered.', of.auditEntry),
  AuditListResponse: text('Changing calls, newest first.', of.pageWith('entries', of.auditEntry)),

  EmptyRequest: text('Nothing has to be said.', {}),
  Deleted: text(
    'It is gone.',
    { message: 'Version deleted successfully' },
    {
      fields: { message: 'that it was done' },
    },
  ),
  ErrorDetail: text('Why it was refused, or failed.', of.refusal.error, {
    fields: { message: 'for a reader; names the first problems' },
  }),
  ErrorResponse: text('Why it was refused, or failed.', of.refusal),
};

const fields: Record<string, string> = {
  action: 'method and route',
  actor: 'the owner of the token; "" for Floy itself',
  after: 'begin behind this number',
  application_id: 'the application it is for',
  application_ids: 'the applications to deploy; all of the version’s repository',
  applications: 'of this page',
  approved_by: 'the admin who approved it; "" for the first key that was seen of the host',
  at: 'when it happened',
  checks: 'one for each instance',
  code: 'the kind of refusal',
  command: 'one text for `sh`',
  complete: 'true when the task has ended and nothing will follow',
  completed_at: 'when it ended, or null',
  completed_tasks: 'how many have succeeded',
  config: 'known keys are checked; other keys are kept and listed in `unknown_keys`',
  created_at: 'when it was made',
  created_by: 'the owner of the token that made it',
  current_task: 'the earliest started one that runs, or null',
  data: 'the details',
  depends_on: 'tasks that have to succeed before it begins',
  deployment_id: 'the deployment',
  deployments: 'of this page',
  description: 'free text',
  details: 'field path → the reason it was refused',
  entries: 'of this page',
  environment_id: 'the environment',
  environments: 'of this page',
  error: 'the reason, or "" for a success',
  error_message: 'why it failed or was undone, else ""',
  events: 'in their order',
  expires: 'seconds since 1970',
  expires_at: 'from when on it is refused, or null',
  failed_tasks: 'how many have failed',
  fingerprint: 'as `ssh-keygen -lf` prints it',
  git_commit: 'the commit of the tag',
  git_tag: 'the tag to deploy, unique in its repository',
  healthy: 'whether every instance is',
  host: 'name or address of the host',
  host_keys: 'one for each host that has one',
  hosts: 'hosts of the environment, as `host` or `host:port`; all of them when left out',
  id: 'its id',
  is_active: 'whether it may be deployed to',
  last_used_at: 'when it was last used, or null',
  limit: 'at most so many',
  lines: 'in their order',
  message: 'for a reader',
  name: 'unique among its kind, one line',
  not_run: 'true for a task that was never reached',
  outcome: 'the HTTP status of the answer; 202 where hosts had still to answer',
  output: 'the output of the command',
  owner: 'its holder, who is `created_by` of all that is made with it',
  page: 'which page, from 1 on',
  page_size: 'how many on a page, at most 100',
  payload: 'JSON as text: the orders for its worker',
  pid: 'the process; 0 where none runs',
  pinned_at: 'since when it is the accepted one',
  port: 'port of SSH; the environment’s when left out',
  ready_replicas: 'how many were seen healthy',
  replicas: 'how many instances there are; hosts count as one each',
  repository: 'https or ssh address, or a path on the machine that builds',
  request_id: 'stands in the log and in the header X-Request-Id too',
  result: 'JSON as text: the outcome, or ""',
  results: 'one for each host',
  revoked_at: 'since when it is refused, or null',
  role: 'viewer reads; deployer also deploys; admin does everything',
  rollback: 'false: leave the finished targets as they are',
  rollback_of: 'the deployment that this one rolls back, or null',
  running: 'whether it runs',
  scheduled_at: 'when it was handed to a worker, or null',
  seq: 'its number, without gaps',
  service: 'the name of the service',
  settled_at: 'when every target had its verdict, or null: only then is it over for its hosts',
  sha256: 'the artifact, in hexadecimal',
  signature: 'made by Floy',
  source: 'the instance or command that printed it, or ""',
  started_at: 'when it began, or null',
  status: 'its state',
  statuses: 'one for each host',
  stream: 'the deployment, or the environment, whose history it belongs to',
  subject: 'the id of the thing it is about',
  success: 'whether it exited 0',
  target_version_id: 'a version that was healthy there before',
  task_id: 'the task',
  tasks: 'of this deployment or page',
  text: 'as it was printed',
  timeout: 'seconds until the host has to have answered, at most 300',
  token: 'the secret: send it as `Authorization: Bearer …`',
  token_id: 'the token that was used, or null',
  tokens: 'of this page',
  total: 'how many there are on all pages',
  total_tasks: 'how many there are',
  type: 'its kind',
  undo_of: 'the deploy task that it undoes, or null',
  unknown_keys: 'keys of the config that Floy does not know: they are kept and do nothing',
  updated_at: 'when it changed last',
  uptime: 'since when it runs, or ""',
  version_id: 'the version',
  versions: 'of this page',
  waiting_for:
    'the reason for a wait (another deployment, an approval, a pause, hosts out of reach), or ""',
  workflow_id: 'the workflow it is part of',
};

const tags = {
  Versions: 'Points of repositories that can be deployed.',
  Applications: 'Things to deploy: how they are built, run and seen.',
  Environments: 'Places to deploy to: hosts over SSH, or clusters.',
  Deployments: 'Wishes and their outcome.',
  Workflows: 'How a deployment is carried out.',
  Tasks: 'Build, test, deploy: each with its log.',
  Hosts: 'Questions to hosts, and their keys.',
  Artifacts: 'The results of builds.',
  Tokens: 'The rights to call this API.',
  Audit: 'Every change and its author.',
  Documentation: 'This document.',
};

/** The words of the API's document: meanings, and examples that are real. */
export const apiText: ApiText = { schemas, fields, tags, components: configSchemas };
