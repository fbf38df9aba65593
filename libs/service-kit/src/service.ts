import type { Database } from '@floy/database/database';
import type { Listener } from '@floy/database/listener';
import type { TaskLogStore } from '@floy/database/task-log-store';
import type { LeaseKeeper } from '@floy/messaging/lease-keeper';
import type { WorkObserver } from '@floy/messaging/observer';
import type { BusPublisher } from '@floy/messaging/publisher';
import type { QueueBackend } from '@floy/messaging/job-queue';
import type { Redactor } from '@floy/secrets/redaction';
import type { Sealer } from '@floy/secrets/sealing';
import type { Logger } from './logger.js';
import type { Metrics } from './metrics.js';
import type { Checks } from './ops-server.js';

/**
 * What every service is composed from. A process of its own makes one of each for its service;
 * `standalone` makes one of each for all of them.
 */
export interface ServiceDeps {
  /** The id of this installation: hosts and artifact stores carry it. */
  readonly installation: string;
  readonly database: Database;
  readonly listener: Listener;
  /** Where the logs of tasks are written. */
  readonly taskLogs: TaskLogStore;
  readonly backend: QueueBackend;
  readonly publisher: BusPublisher;
  readonly keeper: LeaseKeeper;
  /** Is told of every message that is worked on: log and metrics. */
  readonly observer: WorkObserver;
  readonly sealer: Sealer;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly redactor: Redactor;
}

/** A service at work. Its `compose(deps, config)` answers one. */
export interface RunningService {
  /** Takes no more work, hands over what it holds, closes what it opened itself (not the deps). */
  stop(): Promise<void>;
  /** How the things are that only this service depends on. */
  ready?(): Checks | Promise<Checks>;
}
