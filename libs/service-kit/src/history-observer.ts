import type { CommittedEvent } from '@floy/database/after-commit';
import type { Logger } from './logger.js';
import type { Metrics } from './metrics.js';

/** The events that tell the phases of a deployment; all others are in its history only. */
const PHASES: Record<string, string> = {
  'deployment.running': 'The deployment runs',
  'deployment.undoing': 'The deployment is being undone',
  'deployment.cancelled': 'The deployment was cancelled',
  'deployment.success': 'The deployment ended',
  'deployment.failed': 'The deployment failed',
  'deployment.rolled_back': 'The deployment was rolled back',
  'deployment.settled': 'The deployment is settled',
};

/** Operators look for these, so they are lines at `warn`. */
const BAD = new Set(['deployment.failed', 'deployment.undoing', 'deployment.rolled_back']);

/** Alert rules look for these, those of Floy or an operator's own; they are rare. */
const WATCHED = [...BAD, 'instance.stop_failed'];

/**
 * Tells log and metrics of the history that a process has written: a line per phase of a deployment,
 * by the process that brought it there, and the count of every type of event.
 */
export function createHistoryObserver(
  logger: Logger,
  metrics: Metrics,
): (events: readonly CommittedEvent[]) => void {
  const written = metrics.counter(
    'floy_events_total',
    'Lines of history that this process has written, by their type',
    ['type'],
  );
  // A series that begins with the first of these hides it from every rate.
  for (const type of WATCHED) written.inc({ type }, 0);
  return (events) => {
    for (const { stream, type, data } of events) {
      written.inc({ type });
      const message = PHASES[type];
      if (message === undefined) continue;
      const fields = { deployment_id: stream, event: type, ...(data as object | undefined) };
      logger[BAD.has(type) ? 'warn' : 'info'](fields, message);
    }
  };
}
