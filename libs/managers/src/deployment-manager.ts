import type { DeploymentManager } from '@floy/contracts';
import type { Access } from '@floy/database/access';
import {
  createDeploymentRepository,
  readDeployment,
} from '@floy/database/repositories/deployments';
import { sealSnapshot, takeSnapshot } from '@floy/database/snapshot';
import type { Transaction } from '@floy/database/transaction';
import { taskScheduler } from '@floy/database/transitions/advance';
import { admit, startDeployment } from '@floy/database/transitions/admit';
import { cancelDeployment, failDeployment } from '@floy/database/transitions/cancel-deployment';
import { refuseOvertaken } from '@floy/database/transitions/overtaken';
import { isAnswer } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';
import { checkSnapshot, rollsBack } from './check-snapshot.js';
import { progressOf } from './progress.js';

/** The seeds' DeploymentManager. */
export function createDeploymentManager(access: Access, sealer: Sealer): DeploymentManager {
  const { transact } = access;
  return {
    startDeployment: (deploymentId) => transact((tx) => startPending(tx, sealer, deploymentId)),

    cancelDeployment: (actor, deploymentId, { rollback = true } = {}) =>
      transact((tx) => cancelDeployment(tx, deploymentId, { rollback, actor: actor.name })),

    async updateDeploymentStatus(deploymentId, status, errorMessage) {
      const repository = createDeploymentRepository(access);
      await repository.update({ id: deploymentId, status, error_message: errorMessage });
    },

    getDeploymentProgress: (deploymentId) =>
      transact(async (tx) => {
        const deployment = await readDeployment(tx.knex, deploymentId);
        return progressOf(deployment, await taskScheduler(tx).getTasksByDeployment(deploymentId));
      }),
  };
}

/**
 * Admits a pending deployment if its turn has come and fixes what it will do. One that can never be
 * carried out ends at once, saying why.
 */
async function startPending(
  tx: Transaction,
  sealer: Sealer,
  deploymentId: string,
): Promise<'admitted' | 'waits' | 'gone'> {
  const admission = await admit(tx, deploymentId);
  if (admission.state !== 'admitted') return admission.state;
  const { deployment, applicationIds } = admission;
  try {
    if (deployment.round > 1) await refuseOvertaken(tx, deployment);
    const { snapshot, today } = await takeSnapshot(tx, sealer, deployment, applicationIds);
    checkSnapshot(tx.deployers, snapshot, today, { reuses: deployment.origin === 'rollback' });
    await startDeployment(tx, deployment, {
      snapshot: sealSnapshot(sealer, deployment.id, snapshot),
      autoRollback: rollsBack(snapshot),
    });
  } catch (error) {
    if (!isAnswer(error)) throw error;
    await failDeployment(tx, deployment.id, error.message);
  }
  return 'admitted';
}
