import { consume } from '@floy/messaging/consume';
import type { RunningService, ServiceDeps } from '@floy/service-kit/service';
import { advanceDeploymentHandler } from './handlers/advance-deployment.js';
import { startWorkflowHandler } from './handlers/start-workflow.js';
import { observeTasks } from './task-metrics.js';

export async function compose(deps: ServiceDeps): Promise<RunningService> {
  observeTasks(deps.metrics, deps.database);
  const consumer = consume(
    deps,
    'workflow-manager',
    {
      'start-workflow': startWorkflowHandler(deps.sealer),
      'advance-deployment': advanceDeploymentHandler(),
    },
    { concurrency: 16 },
  );
  return { stop: () => consumer.stop() };
}
