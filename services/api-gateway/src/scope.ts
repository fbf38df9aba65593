import type {
  Actor,
  ApplicationService,
  DeploymentService,
  EnvironmentService,
  TaskService,
  VersionService,
} from '@floy/contracts';
import type { Database } from '@floy/database/database';
import { createApplicationRepository } from '@floy/database/repositories/applications';
import { createAuditRepository, type AuditRepository } from '@floy/database/repositories/audit';
import { createDeploymentRepository, type Transact } from '@floy/database/repositories/deployments';
import { createEnvironmentRepository } from '@floy/database/repositories/environments';
import { lockConfigRow } from '@floy/database/repositories/sealed-config';
import { createTaskRepository } from '@floy/database/repositories/tasks';
import { createTokenRepository, type TokenRepository } from '@floy/database/repositories/tokens';
import { createVersionRepository } from '@floy/database/repositories/versions';
import type { Transaction } from '@floy/database/transaction';
import type { Listener } from '@floy/database/listener';
import type { Sealer } from '@floy/secrets/sealing';
import type { ArtifactStore } from '@floy/service-kit/artifact-store';
import { createApplicationService } from './services/applications.js';
import { createDeploymentService } from './services/deployments.js';
import { createEnvironmentService } from './services/environments.js';
import { createTaskService } from './services/tasks.js';
import { createVersionService } from './services/versions.js';
import { createWorkflowService, type WorkflowService } from './services/workflows.js';

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
export interface Scope {
  readonly deps: GatewayDeps;
  readonly actor: Actor;
  /** The request's transaction, or the pool where it only reads. */
  readonly knex: Database['knex'];
  readonly transact: Transact;
  readonly versions: VersionService;
  readonly applications: ApplicationService;
  readonly environments: EnvironmentService;
  readonly deployments: DeploymentService;
  readonly tasks: TaskService;
  readonly workflows: WorkflowService;
  readonly tokens: TokenRepository;
  readonly audit: AuditRepository;
}

/** The scope of one request; `tx` is its transaction, if it changes anything. */
export function createScope(deps: GatewayDeps, actor: Actor, tx?: Transaction): Scope {
  const { sealer } = deps;
  const knex = tx?.knex ?? deps.database.knex;
  const transact: Transact = (work) =>
    tx === undefined ? deps.database.transaction(work) : work(tx);
  const lockRow = (table: 'applications' | 'environments') => async (id: string) => {
    if (tx !== undefined) await lockConfigRow(tx, table, id);
  };
  const applications = createApplicationRepository(knex, sealer);
  const environments = createEnvironmentRepository(knex, sealer);
  return {
    deps,
    actor,
    knex,
    transact,
    versions: createVersionService(createVersionRepository(knex)),
    applications: createApplicationService(applications, lockRow('applications')),
    environments: createEnvironmentService(environments, lockRow('environments')),
    deployments: createDeploymentService(createDeploymentRepository(knex, transact), transact),
    tasks: createTaskService(createTaskRepository(knex, transact), transact),
    workflows: createWorkflowService(knex, transact),
    tokens: createTokenRepository(knex),
    audit: createAuditRepository(knex),
  };
}
