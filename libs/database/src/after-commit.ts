import type { MessageKind } from '@floy/contracts';
import type { Knex } from 'knex';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';

/** A committed message, ready for its queue. */
export interface OutgoingMessage {
  id: string;
  kind: MessageKind;
  claims: number;
  /** How often the relay has published it, this time included. */
  publishes?: number;
}

export interface Publisher {
  /** Puts messages on their queues. May fail or lose them: the relay brings them back. */
  publish(messages: OutgoingMessage[]): Promise<void>;
}

/** Something live has changed: `topic` says what kind of thing, `id` which one. */
export interface Nudge {
  topic: 'lease' | 'stream' | 'question';
  id: string;
}

export const nudgeChannel = 'floy_nudges';

/** A line of history that was just committed. */
export interface CommittedEvent {
  /** Whose history: a deployment's id, or an environment's. */
  readonly stream: string;
  readonly type: string;
  /** The id of what it happened to. */
  readonly subject: string;
  readonly data?: unknown;
}

/** Notifications are this far apart, so that those of a burst travel together. Milliseconds. */
const APART_MS = 10;

export interface CommitEffects {
  messages: OutgoingMessage[];
  nudges: Nudge[];
  events: CommittedEvent[];
}

/**
 * What follows a commit: messages go to the queue, nudges to LISTEN. Neither is waited for by the
 * transaction's caller and neither may fail it: both are hints, with the relay and a poll behind
 * them. NOTIFY takes an instance-wide lock at commit, so nudges are coalesced into one statement.
 */
export function createAfterCommit(pool: Knex, publisher: Publisher | undefined) {
  const running = new Set<Promise<unknown>>();
  let nudges = new Map<string, Nudge>();
  let notifiedAt = -Infinity;

  function track(effect: Promise<unknown>): void {
    const settled = effect.catch(() => undefined).finally(() => running.delete(settled));
    running.add(settled);
  }

  async function notify(): Promise<void> {
    const early = APART_MS - (performance.now() - notifiedAt);
    await (early > 0 ? delay(early) : nextTurn());
    notifiedAt = performance.now();
    const batch = [...nudges.values()];
    nudges = new Map();
    for (let start = 0; start < batch.length; start += 50) {
      const payload = JSON.stringify(batch.slice(start, start + 50));
      // A commit with NOTIFY writes to the log; for a hint nobody has to wait until that is on disk.
      await pool.raw("SELECT set_config('synchronous_commit', 'off', true), pg_notify(?, ?)", [
        nudgeChannel,
        payload,
      ]);
    }
  }

  return {
    dispatch(effects: CommitEffects): void {
      if (publisher && effects.messages.length > 0) track(publisher.publish(effects.messages));
      if (effects.nudges.length === 0) return;
      const first = nudges.size === 0;
      for (const nudge of effects.nudges) nudges.set(`${nudge.topic} ${nudge.id}`, nudge);
      if (first) track(notify());
    },
    async flushed(): Promise<void> {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
