import type { Metrics } from '@floy/service-kit/metrics';
import { type HostWork, STEPS } from './host-work.js';
import type { Hosts } from './hosts.js';

/** A script takes a moment, a restart seconds; a command of a user's may take minutes. Seconds. */
const STEP_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300];

/** Has the metrics tell of connections and steps; answers what is to be told of a step. */
export function observeHosts(metrics: Metrics, hosts: Hosts): NonNullable<HostWork['stepEnded']> {
  metrics.sampled('floy_ssh_connections', 'Open connections to hosts', [], () => [
    { labels: {}, value: hosts.pool.open() },
  ]);
  const steps = metrics.histogram(
    'floy_step_seconds',
    'Steps on hosts, by how they ended for this worker: done, failed, unknown, lost, given_up',
    STEP_BUCKETS,
    ['step', 'outcome'],
  );
  // A series that begins with the first of these hides it from every rate.
  for (const step of Object.keys(STEPS)) steps.zero({ step, outcome: 'unknown' });
  return (step, outcome, seconds) => steps.observe({ step, outcome }, seconds);
}
