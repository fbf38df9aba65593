import type { Database } from '@floy/database/database';
import type { DeploymentTimes } from '@floy/database/read-models/deployment-times';
import { countOpenDeployments } from '@floy/database/read-models/open-deployments';
import type { Metrics } from '@floy/service-kit/metrics';
import { phaseSeconds } from './phase-seconds.js';

/** From a switch of one host to a day of canaries. Seconds. */
const PHASE_BUCKETS = [0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 14_400, 86_400];

/**
 * Has the metrics tell of the deployments of the whole installation: this service alone asks
 * Postgres for them. Answers what is to be told of each that is settled.
 */
export function observeDeployments(
  metrics: Metrics,
  database: Pick<Database, 'knex'>,
): (times: DeploymentTimes) => void {
  // Both gauges are read at the same moment: one statement serves them.
  let asked: ReturnType<typeof countOpenDeployments> | undefined;
  const count = (): ReturnType<typeof countOpenDeployments> =>
    (asked ??= countOpenDeployments(database.knex).finally(() => (asked = undefined)));
  metrics.sampled(
    'floy_deployments',
    'Deployments that are not settled, in the whole installation',
    ['status', 'phase'],
    async () =>
      (await count()).map(({ status, phase, count: value }) => ({
        labels: { status, phase },
        value,
      })),
  );
  metrics.sampled(
    'floy_deployment_oldest_seconds',
    'How long ago the oldest deployment that is not settled was queued',
    ['status', 'phase'],
    async () =>
      (await count()).map(({ status, phase, oldestSeconds: value }) => ({
        labels: { status, phase },
        value,
      })),
  );
  const phases = metrics.histogram(
    'floy_deployment_phase_seconds',
    'How long settled deployments were in each phase: queued, forward, stopping, undoing',
    PHASE_BUCKETS,
    ['phase'],
  );
  return (times) => {
    for (const [phase, seconds] of phaseSeconds(times)) phases.observe({ phase }, seconds);
  };
}
