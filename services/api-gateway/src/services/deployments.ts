import type {
  Deployer,
  DeploymentManager,
  DeploymentRepository,
  DeploymentService,
} from '@floy/contracts';
import { pageOf } from './paging.js';

/** Who does what a DeploymentService is asked for. */
export interface DeploymentWork {
  readonly deployments: DeploymentRepository;
  readonly manager: Pick<DeploymentManager, 'cancelDeployment'>;
  readonly deployer: Pick<Deployer, 'rollback'>;
}

/** Deployments as the API knows them. */
export function createDeploymentService({
  deployments,
  manager,
  deployer,
}: DeploymentWork): DeploymentService {
  return {
    createDeployment: (actor, request) =>
      deployments.create({ ...request, created_by: actor.name }),
    async getDeploymentList({ status, environment_id, version_id, ...paging }) {
      const page = pageOf(paging);
      const filter = { status, environmentId: environment_id, versionId: version_id };
      const { items, total } = await deployments.list({ ...filter, ...page });
      return { deployments: items, total, page: page.page, page_size: page.pageSize };
    },
    getDeployment: (id) => deployments.getById(id),
    async cancelDeployment(actor, id, options = {}) {
      await deployments.getById(id);
      await manager.cancelDeployment(actor, id, options);
      return deployments.getById(id);
    },
    async rollbackDeployment(actor, id, { target_version_id: targetVersionId }) {
      await deployments.getById(id);
      const rollback = await deployer.rollback(actor, { deploymentId: id, targetVersionId });
      return deployments.getById(rollback.deploymentId);
    },
  };
}
