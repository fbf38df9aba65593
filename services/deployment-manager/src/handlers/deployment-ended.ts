import {
  readDeploymentTimes,
  type DeploymentTimes,
} from '@floy/database/read-models/deployment-times';
import { waitingBehind } from '@floy/database/transitions/admit';
import type { ShortHandler } from '@floy/messaging/handlers';

/**
 * Wakes the deployments that wait behind a settled one: each looks itself whether its turn has come.
 * `settled` is told how long its phases were, for the metrics; where Postgres has this transaction
 * run again, twice.
 */
export function deploymentEndedHandler(
  settled: (times: DeploymentTimes) => void,
): ShortHandler<'deployment-ended'> {
  return {
    async handle(tx, { deployment_id: ended }) {
      for (const deployment_id of await waitingBehind(tx, ended))
        tx.send('start-deployment', { deployment_id });
      const times = await readDeploymentTimes(tx, ended);
      if (times) settled(times);
      return { done: true };
    },
    // Nothing is lost: every waiting deployment looks again by itself.
    dead: async () => undefined,
  };
}
