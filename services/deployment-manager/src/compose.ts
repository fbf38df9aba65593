import { consume } from '@floy/messaging/consume';
import type { RunningService, ServiceDeps } from '@floy/service-kit/service';
import { deploymentEndedHandler } from './handlers/deployment-ended.js';
import { startDeploymentHandler } from './handlers/start-deployment.js';

export async function compose(deps: ServiceDeps): Promise<RunningService> {
  const consumer = consume(
    deps,
    'deployment-manager',
    {
      'start-deployment': startDeploymentHandler(deps.sealer),
      'deployment-ended': deploymentEndedHandler(),
    },
    { concurrency: 16 },
  );
  return { stop: () => consumer.stop() };
}
