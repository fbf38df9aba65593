import { consume } from '@floy/messaging/consume';
import type { RunningService, ServiceDeps } from '@floy/service-kit/service';
import { observeQueues } from '@floy/service-kit/process-metrics';
import { observeDeployments } from './deployment-metrics.js';
import { deploymentEndedHandler } from './handlers/deployment-ended.js';
import { startDeploymentHandler } from './handlers/start-deployment.js';

export async function compose(deps: ServiceDeps): Promise<RunningService> {
  const settled = observeDeployments(deps.metrics, deps.database);
  observeQueues(deps.metrics, deps.publisher);
  const consumer = consume(
    deps,
    'deployment-manager',
    {
      'start-deployment': startDeploymentHandler(deps.sealer),
      'deployment-ended': deploymentEndedHandler(settled),
    },
    { concurrency: 16 },
  );
  return { stop: () => consumer.stop() };
}
