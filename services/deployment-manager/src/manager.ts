import type { Actor, DeploymentManager } from '@floy/contracts';
import { readProgress } from '@floy/database/read-models/progress';
import { createDeploymentRepository } from '@floy/database/repositories/deployments';
import { sealSnapshot, takeSnapshot } from '@floy/database/snapshot';
import type { Transaction } from '@floy/database/transaction';
import { admit, startDeployment, type Admission } from '@floy/database/transitions/admit';
import { cancelDeployment } from '@floy/database/transitions/cancel-deployment';
import { endUnplanned } from '@floy/database/transitions/end-unplanned';
import { refuseOvertaken } from '@floy/database/transitions/overtaken';
import { FloyError } from '@floy/domain';
import type { Sealer } from '@floy/secrets/sealing';
import { checkSnapshot, rollsBack } from './check-snapshot.js';

/**
 * Admits a pending deployment if its turn has come and fixes what it will do. What can never be
 * carried out ends at once, saying why.
 */
export async function startPending(
  tx: Transaction,
  sealer: Sealer,
  deploymentId: string,
): Promise<Admission['state']> {
  const admission = await admit(tx, deploymentId);
  if (admission.state !== 'admitted') return admission.state;
  const { deployment, applicationIds } = admission;
  try {
    if (deployment.round > 1) await refuseOvertaken(tx, deployment);
    const { snapshot, today } = await takeSnapshot(tx, sealer, deployment, applicationIds);
    checkSnapshot(snapshot, today);
    await startDeployment(tx, deployment, {
      snapshot: sealSnapshot(sealer, deployment.id, snapshot),
      autoRollback: rollsBack(snapshot),
    });
  } catch (error) {
    if (!(error instanceof FloyError)) throw error;
    await endUnplanned(tx, deployment, error.message);
  }
  return 'admitted';
}

/** The seeds' DeploymentManager, in one transaction. */
export function createDeploymentManager(tx: Transaction, sealer: Sealer): DeploymentManager {
  return {
    async startDeployment(deploymentId) {
      await startPending(tx, sealer, deploymentId);
    },

    async cancelDeployment(actor: Actor, deploymentId) {
      await cancelDeployment(tx, deploymentId, { rollback: true, actor: actor.name });
    },

    async updateDeploymentStatus(deploymentId, status, errorMessage) {
      const repository = createDeploymentRepository(tx.knex, (work) => work(tx));
      const deployment = await repository.getById(deploymentId);
      await repository.update({ ...deployment, status, error_message: errorMessage });
    },

    getDeploymentProgress: (deploymentId) => readProgress(tx.knex, deploymentId),
  };
}
