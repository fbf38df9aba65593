import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { accessTo } from '@floy/database/access';
import { createDatabase, type Database } from '@floy/database/database';
import { createApplicationRepository } from '@floy/database/repositories/applications';
import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import { createVersionRepository } from '@floy/database/repositories/versions';
import { beginInstance, finishInstance } from '@floy/database/transitions/instance-work';
import { finishLook } from '@floy/database/transitions/look-work';
import { createDeploymentRepository } from '@floy/database/repositories/deployments';
import { taskScheduler } from '@floy/database/transitions/advance';
import { createSealer, parseEncryptionKeys, type Sealer } from '@floy/secrets/sealing';
import { createTestDatabase, type TestDatabase } from '@floy/testing/database';
import type { Actor, Deployer, DeploymentManager, WorkflowManager } from '@floy/contracts';
import { createDeployer } from './deployer.js';
import { createDeploymentManager } from './deployment-manager.js';
import { createWorkflowManager } from './workflow-manager.js';

/** An environment of two hosts, an application of each name, and two versions of them. */
export interface TestInstallation {
  readonly own: TestDatabase;
  readonly database: Database;
  readonly sealer: Sealer;
  /** What the sealer was made of, for the settings of a process. */
  readonly encryptionKey: string;
  readonly deployments: DeploymentManager;
  readonly workflows: WorkflowManager;
  readonly deployer: Deployer;
  readonly actor: Actor;
  readonly environmentId: string;
  readonly versionIds: readonly [string, string];
  applicationId(name: string, config?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Asks for a deployment of these applications, of the first version unless told: pending. */
  ask(applicationIds: readonly string[], versionId?: string): Promise<string>;
  /** Starts a pending deployment, plans it and hands out what is ready. Answers its workflow. */
  begin(deploymentId: string): Promise<string>;
  /** Plays the runner of its next build. */
  built(deploymentId: string, sha256?: string): Promise<void>;
  /** Plays the deployers until nothing more is handed to them; these instances fail at the switch. */
  playDeployers(deploymentId: string, failing?: readonly string[]): Promise<void>;
  statusOf(deploymentId: string): Promise<string | undefined>;
  /** Everything that is written of a deployment, to see that nothing has changed. */
  recordOf(deploymentId: string): Promise<object>;
  stop(): Promise<void>;
}

/** @param options the environment's config beside the usual, and the commits of the versions */
export async function startTestInstallation({
  config = {},
  repository = 'https://example.com/acme/shop',
  commits = ['abc1234', 'abc1234'],
}: {
  config?: Readonly<Record<string, unknown>>;
  repository?: string;
  commits?: readonly [string, string];
} = {}): Promise<TestInstallation> {
  const own = await createTestDatabase();
  const database = createDatabase({ url: own.url, applicationName: 'floy-test' });
  const encryptionKey = randomBytes(32).toString('base64');
  const sealer = createSealer(parseEncryptionKeys(encryptionKey));
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const environment = await createEnvironmentRepository(database.knex, sealer).create({
    name: 'production',
    type: 'physical',
    is_active: true,
    config: {
      hosts: ['h1', 'h2'],
      ssh_key: Buffer.from(privateKey).toString('base64'),
      deploy_path: '/srv/{{application}}',
      batch_size: '1',
      ...config,
    },
  });
  const versions = createVersionRepository(database.knex);
  const version = async (git_tag: string, git_commit: string) => {
    const made = { git_tag, git_commit, repository, created_by: 't', description: '' };
    return (await versions.create(made)).id;
  };
  const versionIds = [await version('v1', commits[0]), await version('v2', commits[1])] as const;
  const access = accessTo(database);
  const deployments = createDeploymentManager(access, sealer);
  const workflows = createWorkflowManager(access, sealer);
  return {
    own,
    database,
    sealer,
    encryptionKey,
    deployments,
    workflows,
    deployer: createDeployer(access),
    actor: { name: 'ann', tokenId: null },
    environmentId: environment.id,
    versionIds,
    async applicationId(name, own = {}) {
      const applications = createApplicationRepository(database.knex, sealer);
      const made = { name, repository, type: 'service', config: { ...own } };
      return (await applications.create(made)).id;
    },
    async ask(applicationIds, versionId = versionIds[0]) {
      const { id } = await createDeploymentRepository(access).create({
        version_id: versionId,
        application_ids: [...applicationIds],
        environment_id: environment.id,
        created_by: 'ann',
      });
      return id;
    },
    async begin(deploymentId) {
      await deployments.startDeployment(deploymentId);
      const { id } = await workflows.createWorkflow({ id: deploymentId });
      await workflows.executeWorkflow(id);
      return id;
    },
    built: (deploymentId, sha256 = 'a'.repeat(64)) =>
      database.transaction(async (tx) => {
        const scheduler = taskScheduler(tx);
        const tasks = await scheduler.getTasksByDeployment(deploymentId);
        const build = tasks.find(({ type, status }) => type === 'build' && status !== 'success');
        const kept = { artifact_sha256: sha256, commit: 'abc1234' };
        if (build) await scheduler.updateTaskStatus(build.id, 'success', '{}', kept);
      }),
    async playDeployers(deploymentId, failing = []) {
      for (;;) {
        const [instance] = await own.query<{
          id: string;
          instance_id: string;
          content_release_id: string;
          release_id: string;
          status: 'staging' | 'switching';
          looking: boolean;
        }>(
          `SELECT * FROM release_instances
           WHERE deployment_id = $1 AND (looking OR status IN ('staging', 'switching'))
           ORDER BY id LIMIT 1`,
          [deploymentId],
        );
        if (!instance) return;
        const ids = { deploymentId, instanceId: instance.id };
        const { status, content_release_id: releaseId } = instance;
        if (instance.looking) {
          const healthy = { sickened: '', observation: { releaseId, observed: 'new' } } as const;
          await database.transaction((tx) => finishLook(tx, ids, healthy));
          continue;
        }
        await database.transaction((tx) => beginInstance(tx, ids, status));
        if (status === 'switching')
          await own.query('UPDATE release_instances SET touched = true WHERE id = $1', [
            ids.instanceId,
          ]);
        const fails =
          status === 'switching' &&
          releaseId === instance.release_id &&
          failing.includes(instance.instance_id);
        await database.transaction((tx) =>
          finishInstance(tx, ids, {
            status: fails ? 'failed' : status === 'staging' ? 'staged' : 'succeeded',
            message: fails ? 'is broken' : '',
            observation: status === 'switching' ? { releaseId, observed: 'new' } : null,
          }),
        );
      }
    },
    async statusOf(deploymentId) {
      const sql = 'SELECT status FROM deployments WHERE id = $1';
      return (await own.query<{ status: string }>(sql, [deploymentId]))[0]?.status;
    },
    async recordOf(deploymentId) {
      const rows = (sql: string) => own.query(sql, [deploymentId]);
      return {
        deployments: await rows('SELECT * FROM deployments WHERE id = $1'),
        workflows: await rows('SELECT * FROM workflows WHERE deployment_id = $1'),
        tasks: await rows('SELECT * FROM tasks WHERE deployment_id = $1 ORDER BY id'),
        instances: await rows(
          'SELECT * FROM release_instances WHERE deployment_id = $1 ORDER BY id',
        ),
        events: await rows('SELECT * FROM events WHERE stream = $1 ORDER BY seq'),
        // The relay moves the times of those that wait.
        messages: await rows(
          `SELECT id, kind, done_at FROM messages
           WHERE payload->>'deployment_id' = $1 ORDER BY id`,
        ),
      };
    },
    async stop() {
      await database.close();
      await own.drop();
    },
  };
}
