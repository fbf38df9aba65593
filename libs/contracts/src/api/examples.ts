/** Values as the API takes and gives them, for its document. They belong together. */

const at = (time: string) => `2026-11-21T${time}Z`;

const id = {
  version: 'ver_01m7y6w2bkexx8bgeh9h9qc8h0',
  earlier: 'ver_01m7x0a4zsexx9v5r8q0k2m3nd',
  application: 'app_01m7y6w2fvexx8bgf1v8phzs8k',
  environment: 'env_01m7y6w2haexx8bgfpskqcx90t',
  deployment: 'dep_01m7y6w38eexx8bgg0r0h9t1tq',
  workflow: 'wf_01m7y6w3bnexx8bgh3y7d8kq5c',
  build: 'task_01m7y6w3bpexx8bghmd0c6rb2e',
  deploy: 'task_01m7y6w3bqexx8bgj8r1xv0s4f',
  token: 'tok_01m7y6vz5zexx8bgc0fq6yt3a1',
};
const fingerprint = 'SHA256:n0r2m3gXkH0v9w4uV5n1o8xM7tq0c1J2bR6yZ3aQd4E';
const sha256 = '7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730';

export const newVersion = {
  repository: 'https://github.com/acme/shop',
  git_tag: 'v1.4.0',
  git_commit: '2f1c8e0b7d5a49c3a1f6e8d90b7c4a5e6f708192',
  description: 'Gift cards',
};
export const version = {
  id: id.version,
  ...newVersion,
  created_by: 'ann@example.com',
  created_at: at('04:47:12.243'),
};

export const newApplication = {
  name: 'shop',
  repository: newVersion.repository,
  type: 'service',
  config: {
    build_command: 'npm ci && npm run build',
    test_command: 'npm test',
    artifact_path: 'dist',
    restart_command: 'systemctl restart shop',
    status_command: 'systemctl is-active shop',
    health_check_url: 'http://127.0.0.1:8080/healthz',
    env: { PORT: '8080', VERSION: '{{git_tag}}' },
    secrets: { DATABASE_PASSWORD: 'swordfish' },
    shared_paths: ['uploads'],
  },
};
export const application = {
  id: id.application,
  ...newApplication,
  config: { ...newApplication.config, secrets: { DATABASE_PASSWORD: '<redacted>' } },
  unknown_keys: [],
  created_at: at('04:47:12.380'),
  updated_at: at('04:47:12.380'),
};
export const applicationChange = {
  config: { ...application.config, test_command: 'npm run check' },
};

export const newHosts = {
  name: 'production',
  type: 'physical',
  config: {
    hosts: ['deploy@10.0.0.11', 'deploy@10.0.0.12:2222'],
    ssh_key: 'LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUgS0VZLS0tLS0K…',
    deploy_path: '/srv/{{service}}',
    batch_size: '1,50%,100%',
    bake_seconds: 30,
    health_check_timeout: 60,
  },
};
export const newCluster = {
  name: 'staging',
  type: 'kubernetes',
  config: {
    kubeconfig: 'YXBpVmVyc2lvbjogdjEKa2luZDogQ29uZmlnCg…',
    cluster: 'staging',
    namespace: 'shop',
    deployment_strategy: 'canary',
    timeout: 600,
  },
};
export const environment = {
  id: id.environment,
  ...newHosts,
  config: { ...newHosts.config, ssh_key: '<redacted>' },
  unknown_keys: [],
  is_active: true,
  created_at: at('04:47:12.430'),
  updated_at: at('04:47:12.430'),
};
export const environmentChange = {
  config: { ...environment.config, hosts: ['deploy@10.0.0.11', 'deploy@10.0.0.13'] },
};
export const hostKeyApproval = { host: '10.0.0.12', port: 2222, fingerprint };
export const hostKey = { environment_id: id.environment, ...hostKeyApproval };
export const pinnedKey = { ...hostKey, approved_by: '', pinned_at: at('04:47:14.100') };

export const newDeployment = {
  version_id: id.version,
  application_ids: [id.application],
  environment_id: id.environment,
};
export const deployment = {
  id: id.deployment,
  ...newDeployment,
  status: 'running',
  created_by: 'ann@example.com',
  created_at: at('04:47:13.170'),
  updated_at: at('04:47:14.260'),
  started_at: at('04:47:13.204'),
  completed_at: null,
  error_message: '',
  settled_at: null,
  rollback_of: null,
  waiting_for: 'Baking until 2026-11-21T04:47:44.260Z',
  cancelled_by: '',
  paused_by: '',
  approved_by: 'bob@example.com',
  promoted_by: '',
  aborted_by: '',
};
export const rollback = { target_version_id: id.earlier };
export const deploymentInfo = {
  deployment_id: id.deployment,
  status: 'running',
  replicas: 2,
  ready_replicas: 1,
  updated_at: at('04:47:14.260'),
};
export const healthCheck = {
  name: 'shop-production-10.0.0.11-22',
  status: 'healthy',
  message: 'was seen healthy at v1.4.0',
  seen_at: at('04:47:14.260'),
  asked: 'current, status_command, http://10.0.0.11:8080/healthz from the host',
};
export const health = {
  healthy: true,
  message: '1 of 1 instances is healthy',
  checks: [healthCheck],
};

export const task = {
  id: id.deploy,
  deployment_id: id.deployment,
  type: 'deploy',
  status: 'running',
  payload: '{"environment_type":"physical","service":"shop"}',
  result: '',
  created_at: at('04:47:13.230'),
  updated_at: at('04:47:13.900'),
  scheduled_at: at('04:47:13.890'),
  started_at: at('04:47:13.900'),
  completed_at: null,
  application_id: id.application,
  workflow_id: id.workflow,
  depends_on: [id.build],
  undo_of: null,
  not_run: false,
};
export const progress = {
  deployment_id: id.deployment,
  status: 'running',
  total_tasks: 3,
  completed_tasks: 2,
  failed_tasks: 0,
  current_task: task,
  waiting_for: deployment.waiting_for,
};
export const workflow = {
  id: id.workflow,
  deployment_id: id.deployment,
  tasks: [task],
  status: 'running',
  created_at: at('04:47:13.230'),
  updated_at: at('04:47:13.900'),
};
export const logLine = {
  seq: 1,
  at: at('04:47:13.410'),
  source: 'build_command',
  text: 'added 212 packages in 4s\n',
};
export const taskLog = { task_id: id.build, complete: true, lines: [logLine] };
export const event = {
  id: 'evt_01m7y6w4f0exx8bgkq2d9m7x6p',
  seq: 16,
  stream: id.deployment,
  type: 'instance.succeeded',
  subject: 'rin_01m7y6w3zsexx8bgn0h4b1c2d3',
  actor: '',
  at: at('04:47:14.896'),
  data: { instance_id: 'shop-production-10.0.0.11-22' },
};

export const command = { hosts: ['10.0.0.11'], command: 'df -h /srv', timeout: 10 };
export const restart = { hosts: ['10.0.0.11'], timeout: 60 };
export const upload = { sha256, service: 'shop' };
export const commandResult = {
  host: '10.0.0.11:22',
  success: true,
  output: '/dev/sda1  40G  12G  26G  32% /\n',
  error: '',
};
export const serviceStatus = {
  host: '10.0.0.11:22',
  running: true,
  status: 'active',
  pid: 4711,
  uptime: '3d 04:12:55',
};

export const newToken = {
  name: 'pipeline of shop',
  owner: 'ann@example.com',
  role: 'deployer',
  expires_at: '2027-05-31T00:00:00.000Z',
};
export const token = {
  id: id.token,
  ...newToken,
  created_at: at('04:40:00.000'),
  revoked_at: null,
  last_used_at: at('04:47:13.170'),
};
export const createdToken = {
  ...token,
  last_used_at: null,
  token: 'floy_pat_Zx3cV9bN1mQ2wE4rT6yU8iO0pA5sD7fG9hJ1kL3zX5c',
};
export const auditEntry = {
  id: 'aud_01m7y6w38fexx8bgg7m5w2k4q6',
  at: at('04:47:13.170'),
  actor: 'ann@example.com',
  token_id: id.token,
  action: 'POST /api/v1/deployments',
  subject: id.deployment,
  outcome: 201,
  request_id: '0b9a3a52-7f0e-4f7c-9a53-0a3a6a5d2f10',
  data: {},
};
export const refusal = {
  error: {
    code: 'INVALID_REQUEST',
    message: 'The body is invalid: config.batchsize: is not known: batch_size is meant',
    details: { 'config.batchsize': 'is not known: batch_size is meant' },
    request_id: '0b9a3a52-7f0e-4f7c-9a53-0a3a6a5d2f10',
  },
};

/** A page of a list that holds one. */
export function pageWith(name: string, item: unknown) {
  return { [name]: [item], total: 1, page: 1, page_size: 20 };
}
