import type { Deployer, DeployResult } from '@floy/contracts';
import type { Access } from '@floy/database/access';
import { readDeploymentInfo, readHealth } from '@floy/database/read-models/instances';
import { advanceDeployment } from '@floy/database/transitions/advance';
import {
  rollbackDeployment,
  versionBroughtBy,
} from '@floy/database/transitions/rollback-deployment';

/**
 * The part of the seeds' Deployer that is the same wherever releases go. They are carried out by
 * messages, so that no process has to live through them: `deploy` and `rollback` answer how far
 * it is.
 */
export function createDeployer({ knex, transact }: Access): Deployer {
  async function resultOf(deploymentId: string): Promise<DeployResult> {
    const info = await readDeploymentInfo(knex, deploymentId);
    const { message, checks } = await readHealth(knex, deploymentId);
    return {
      success: info.status === 'success',
      message: `Deployment ${deploymentId} is ${info.status}: ${message}`,
      deploymentId,
      details: { ...info, checks },
    };
  }

  return {
    async deploy({ deploymentId }) {
      await transact((tx) => advanceDeployment(tx, deploymentId));
      return resultOf(deploymentId);
    },

    async rollback(actor, request) {
      const { deploymentId } = request;
      const rollback = await transact(async (tx) => {
        const targetVersionId =
          'targetVersionId' in request
            ? request.targetVersionId
            : await versionBroughtBy(tx, request.targetDeploymentId, deploymentId);
        return rollbackDeployment(tx, deploymentId, { targetVersionId, actor: actor.name });
      });
      return resultOf(rollback.id);
    },

    getDeploymentInfo: (deploymentId) => readDeploymentInfo(knex, deploymentId),
    healthCheck: (deploymentId) => readHealth(knex, deploymentId),
  };
}
