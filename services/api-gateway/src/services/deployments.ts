import type { DeploymentRepository, DeploymentService } from '@floy/contracts';
import type { Transact } from '@floy/database/repositories/deployments';
import { cancelDeployment } from '@floy/database/transitions/cancel-deployment';
import { rollbackDeployment } from '@floy/database/transitions/rollback-deployment';
import { pageOf } from './paging.js';

/** Deployments as the API knows them. */
export function createDeploymentService(
  deployments: DeploymentRepository,
  transact: Transact,
): DeploymentService {
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
      const rollback = options.rollback ?? true;
      await transact((tx) => cancelDeployment(tx, id, { rollback, actor: actor.name }));
      return deployments.getById(id);
    },
    async rollbackDeployment(actor, id, { target_version_id: targetVersionId }) {
      await deployments.getById(id);
      const options = { targetVersionId, actor: actor.name };
      const rollback = await transact((tx) => rollbackDeployment(tx, id, options));
      return deployments.getById(rollback.id);
    },
  };
}
