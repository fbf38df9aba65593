import type {
  Actor,
  ApplicationService,
  Deployer,
  DeploymentManager,
  DeploymentService,
  Role,
  EnvironmentService,
  TaskService,
  VersionService,
  WorkflowManager,
} from '@floy/contracts';
import { accessTo, accessWithin, type Access } from '@floy/database/access';
import type { Database } from '@floy/database/database';
import { createApplicationRepository } from '@floy/database/repositories/applications';
import { createAuditRepository, type AuditRepository } from '@floy/database/repositories/audit';
import { createDeploymentRepository } from '@floy/database/repositories/deployments';
import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import { lockConfigRow } from '@floy/database/repositories/sealed-config';
import { createTaskRepository } from '@floy/database/repositories/tasks';
import { createTokenRepository, type TokenRepository } from '@floy/database/repositories/tokens';
import { createVersionRepository } from '@floy/database/repositories/versions';
import type { Transaction } from '@floy/database/transaction';
import type { Listener } from '@floy/database/listener';
import type { Sealer } from '@floy/secrets/sealing';
import { createDeployer } from '@floy/managers/deployer';
import { createDeploymentManager } from '@floy/managers/deployment-manager';
import { createWorkflowManager } from '@floy/managers/workflow-manager';
import type { ArtifactStore } from '@floy/service-kit/artifact-store';
import { createApplicationService } from './services/applications.js';
import { createDeploymentService } from './services/deployments.js';
import { createEnvironmentService } from './services/environments.js';
import { createTaskService } from './services/tasks.js';
import { createVersionService } from './services/versions.js';

/** What the gateway works with. */
export interface GatewayDeps {
  readonly database: Database;
  readonly listener: Listener;
  readonly sealer: Sealer;
  /** Where this process can reach it. */
  readonly artifacts?: ArtifactStore;
}

/**
 * What a route's handler works with: the services, over the one transaction of a changing request,
 * or over the pool for a reading one.
 */
export interface Scope extends Access {
  readonly deps: GatewayDeps;
  readonly actor: Actor;
  /** What the actor may see and do. */
  readonly role: Role;
  readonly versions: VersionService;
  readonly applications: ApplicationService;
  readonly environments: EnvironmentService;
  readonly deployments: DeploymentService;
  readonly tasks: TaskService;
  readonly deploymentManager: DeploymentManager;
  readonly workflowManager: WorkflowManager;
  readonly deployer: Deployer;
  readonly tokens: TokenRepository;
  readonly audit: AuditRepository;
  /** What a handler adds to the line of audit of its request; no secrets. */
  readonly remarks: Record<string, unknown>;
}

/** The scope of one request; `tx` is its transaction, if it changes anything. */
export function createScope(deps: GatewayDeps, actor: Actor, role: Role, tx?: Transaction): Scope {
  const { sealer } = deps;
  const access = tx === undefined ? accessTo(deps.database) : accessWithin(tx);
  const { knex } = access;
  const lockRow = (table: 'applications' | 'environments') => async (id: string) => {
    if (tx !== undefined) await lockConfigRow(tx, table, id);
  };
  const applications = createApplicationRepository(knex, sealer);
  const environments = createEnvironmentRepository(knex, sealer);
  const deploymentManager = createDeploymentManager(access, sealer);
  const deployer = createDeployer(access);
  return {
    deps,
    actor,
    role,
    ...access,
    versions: createVersionService(createVersionRepository(knex)),
    applications: createApplicationService(applications, lockRow('applications')),
    environments: createEnvironmentService(environments, lockRow('environments')),
    deployments: createDeploymentService({
      deployments: createDeploymentRepository(access),
      manager: deploymentManager,
      deployer,
    }),
    tasks: createTaskService(createTaskRepository(access), access.transact),
    deploymentManager,
    workflowManager: createWorkflowManager(access, sealer),
    deployer,
    tokens: createTokenRepository(knex),
    audit: createAuditRepository(knex),
    remarks: {},
  };
}
