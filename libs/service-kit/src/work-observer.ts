import { messageOf } from '@floy/domain';
import type { WorkObserver, WorkOutcome } from '@floy/messaging/observer';
import type { Logger } from './logger.js';
import type { Metrics } from './metrics.js';

/** Waiting is short or as long as an outage; work is a transaction, or as long as a build. */
const waitBuckets = [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800];
const workBuckets = [0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 1800];

/** `dead` is an error as well: its last one, or that it never came to an end. */
const levels = {
  done: 'debug',
  later: 'debug',
  lost: 'info',
  'given-back': 'debug',
  error: 'error',
  dead: 'error',
} as const satisfies Record<WorkOutcome, keyof Logger>;

/** Outages may meet thousands of messages at once: one line each, for a kind, in so long. */
const quietMs = 10_000;

/**
 * Tells log and metrics of a process about the messages that it works on.
 *
 * @param kinds of message that an installation knows
 */
export function createWorkObserver(
  logger: Logger,
  metrics: Metrics,
  kinds: readonly string[],
): WorkObserver {
  const waited = metrics.histogram(
    'floy_message_waiting_seconds',
    'How long messages were due until a worker took them up',
    waitBuckets,
    ['kind'],
  );
  const inHand = metrics.histogram(
    'floy_message_in_hand_seconds',
    'How long workers had messages in hand',
    workBuckets,
    ['kind'],
  );
  const ended = metrics.counter(
    'floy_messages_total',
    'Messages that left the hands of a worker, by how: done, later, error, dead, given-back, lost',
    ['kind', 'outcome'],
  );
  const waiting = metrics.gauge(
    'floy_messages_waiting',
    "Messages that are due and in nobody's hands, in the whole installation",
    ['kind'],
  );
  const oldest = metrics.gauge(
    'floy_messages_oldest_waiting_seconds',
    'How long the message that has waited longest was due, in the whole installation',
    ['kind'],
  );
  const outages = metrics.counter(
    'floy_outages_total',
    'Times that Postgres or the queue was away: seen by work on a kind of message, relay, leases, listener',
    ['seen_by'],
  );
  const takenOver = metrics.counter(
    'floy_leases_taken_over_total',
    'Leases taken over from another worker, because it was dead or had let them run out',
    ['because'],
  );
  const died = metrics.counter('floy_workers_died_total', 'Workers that this process found dead');
  // A series that begins with its first event hides that one from every rate.
  for (const seen_by of ['relay', 'leases', 'listener', ...kinds]) outages.inc({ seen_by }, 0);
  for (const kind of kinds)
    for (const outcome of ['error', 'dead']) ended.inc({ kind, outcome }, 0);
  for (const because of ['dead', 'expired']) takenOver.inc({ because }, 0);

  const quiet = new Map<string, { until: number; left: number }>();

  return {
    took: ({ kind }, seconds) => waited.observe({ kind }, seconds),
    ended(message, { outcome, seconds, error }) {
      const { kind } = message;
      inHand.observe({ kind }, seconds);
      ended.inc({ kind, outcome });
      const fields = { ...message, outcome, seconds: Number(seconds.toFixed(3)) };
      const level = levels[outcome];
      if (level === 'error') logger.error({ ...fields, err: error }, 'A handler failed');
      else if (error !== undefined && (outcome === 'done' || outcome === 'later'))
        logger.error({ ...fields, err: error }, 'A handler failed after the end of its work');
      else if (error === undefined) logger[level](fields, 'Work ended');
      else logger[level]({ ...fields, reason: messageOf(error) }, 'Work was given up');
    },
    outage(seenBy, error, message) {
      outages.inc({ seen_by: seenBy });
      const last = quiet.get(seenBy);
      if (last && performance.now() < last.until) {
        last.left += 1;
        return;
      }
      quiet.set(seenBy, { until: performance.now() + quietMs, left: 0 });
      const fields = { ...message, seen_by: seenBy, err: error, more: last?.left || undefined };
      logger.warn(fields, 'Postgres or the queue is away');
    },
    backlog(backlog) {
      waiting.reset();
      oldest.reset();
      for (const { kind, waiting: count, oldestSeconds } of backlog) {
        waiting.set({ kind }, count);
        oldest.set({ kind }, oldestSeconds);
      }
    },
    tookOver(message, from, because) {
      takenOver.inc({ because });
      logger.warn({ ...message, from, because }, 'Work was taken over');
    },
    holderDied(holder, subjects) {
      died.inc();
      logger.warn({ holder, leases: subjects.length }, 'A worker is dead: its work goes to others');
    },
  };
}
