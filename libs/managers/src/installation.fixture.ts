import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { accessTo } from '@floy/database/access';
import { createDatabase, type Database } from '@floy/database/database';
import { createApplicationRepository } from '@floy/database/repositories/applications';
import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import { createVersionRepository } from '@floy/database/repositories/versions';
import { beginInstance, finishInstance } from '@floy/database/transitions/instance-work';
import { createSealer, type Sealer } from '@floy/secrets/sealing';
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
  readonly deployments: DeploymentManager;
  readonly workflows: WorkflowManager;
  readonly deployer: Deployer;
  readonly actor: Actor;
  readonly environmentId: string;
  readonly versionIds: readonly [string, string];
  applicationId(name: string): Promise<string>;
  /** Plays the deployers until nothing more is handed to them; these instances fail at the switch. */
  playDeployers(deploymentId: string, failing?: readonly string[]): Promise<void>;
  statusOf(deploymentId: string): Promise<string | undefined>;
  stop(): Promise<void>;
}

const repository = 'https://example.com/acme/shop';

export async function startTestInstallation(
  config: Readonly<Record<string, unknown>> = {},
): Promise<TestInstallation> {
  const own = await createTestDatabase();
  const database = createDatabase({ url: own.url, applicationName: 'floy-test' });
  const sealer = createSealer([randomBytes(32)]);
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
  const version = async (git_tag: string) => {
    const made = { git_tag, git_commit: 'abc1234', repository, created_by: 't', description: '' };
    return (await versions.create(made)).id;
  };
  const access = accessTo(database);
  return {
    own,
    database,
    sealer,
    deployments: createDeploymentManager(access, sealer),
    workflows: createWorkflowManager(access, sealer),
    deployer: createDeployer(access),
    actor: { name: 'ann', tokenId: null },
    environmentId: environment.id,
    versionIds: [await version('v1'), await version('v2')],
    async applicationId(name) {
      const applications = createApplicationRepository(database.knex, sealer);
      const made = { name, repository, type: 'service', config: {} };
      return (await applications.create(made)).id;
    },
    async playDeployers(deploymentId, failing = []) {
      for (;;) {
        const [instance] = await own.query<{
          id: string;
          instance_id: string;
          content_release_id: string;
          release_id: string;
          status: 'staging' | 'switching';
        }>(
          `SELECT * FROM release_instances
           WHERE deployment_id = $1 AND status IN ('staging', 'switching') ORDER BY id LIMIT 1`,
          [deploymentId],
        );
        if (!instance) return;
        const ids = { deploymentId, instanceId: instance.id };
        const { status, content_release_id: releaseId } = instance;
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
    async stop() {
      await database.close();
      await own.drop();
    },
  };
}
