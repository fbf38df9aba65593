import type { CommittedEvent } from '@floy/database/after-commit';
import type { Logger } from './logger.js';
import type { Metrics } from './metrics.js';

interface Phase {
  readonly message: string;
  /** Operators look for what went wrong. */
  readonly level?: 'warn';
}

/** The events that tell the phases of a deployment; all others are in its history only. */
const PHASES: Readonly<Record<string, Phase>> = {
  'deployment.created': { message: 'A deployment was asked for' },
  'deployment.waiting': { message: 'The deployment waits' },
  'deployment.running': { message: 'The deployment runs' },
  'task.running': { message: 'A task of the deployment runs' },
  'task.failed': { message: 'A task of the deployment failed', level: 'warn' },
  'release.batch_started': { message: 'A batch of instances is switched' },
  'deployment.paused': { message: 'The deployment was paused' },
  'deployment.resumed': { message: 'The deployment goes on' },
  'deployment.approved': { message: 'The deployment was approved' },
  'deployment.promoted': { message: 'The deployment goes to everything that is left' },
  'deployment.aborted': { message: 'The deployment was aborted' },
  'deployment.cancelled': { message: 'The deployment was cancelled' },
  'deployment.retried': { message: 'The deployment is queued again' },
  'deployment.undoing': { message: 'The deployment is being undone', level: 'warn' },
  'deployment.success': { message: 'The deployment ended' },
  'deployment.failed': { message: 'The deployment failed', level: 'warn' },
  'deployment.rolled_back': { message: 'The deployment was rolled back', level: 'warn' },
  'deployment.settled': { message: 'The deployment is settled' },
};

/** Alert rules look for these, those of Floy or an operator's own; they are rare. */
const WATCHED = [
  'deployment.failed',
  'deployment.undoing',
  'deployment.rolled_back',
  'instance.stop_failed',
];

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
    for (const { stream, subject, type, data } of events) {
      written.inc({ type });
      const phase = PHASES[type];
      const said = data as { readonly not_run?: boolean } | undefined;
      // A task that was never reached did not fail: the one that did has a line.
      if (phase === undefined || said?.not_run === true) continue;
      const about = subject === stream ? {} : { subject };
      const fields = { deployment_id: stream, ...about, event: type, ...said };
      logger[phase.level ?? 'info'](fields, phase.message);
    }
  };
}
