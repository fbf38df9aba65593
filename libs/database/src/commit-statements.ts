import type { MessageKind } from '@floy/contracts';
import { newId } from './ids.js';
import { changesOf, type Statement } from './statement.js';

/** A message on its way into the outbox. */
export interface NewMessage {
  readonly id: string;
  readonly kind: MessageKind;
  readonly subject: string;
  /** JSON. */
  readonly payload: string;
  /** Null: at once. */
  readonly at: Date | null;
}

/** How long a message that was published right after its commit is left alone by the relay. */
const firstRelaySeconds = 2;

/** Writes the messages of a transaction. */
export function writingMessages(messages: readonly NewMessage[]): Statement<number> {
  return changesOf(
    `INSERT INTO messages (id, kind, subject, payload, due_at, publish_at)
     SELECT id, kind, subject, payload::jsonb, coalesce(at::timestamptz, clock_timestamp()),
            coalesce(at::timestamptz, clock_timestamp() + make_interval(secs => ${firstRelaySeconds}))
     FROM unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::text[]) AS m(id, kind, subject, payload, at)`,
    [
      messages.map(({ id }) => id),
      messages.map(({ kind }) => kind),
      messages.map(({ subject }) => subject),
      messages.map(({ payload }) => payload),
      messages.map(({ at }) => at?.toISOString() ?? null),
    ],
  );
}

/** A line of history as it is written. */
interface WrittenEvent {
  readonly type: string;
  readonly subject: string;
  readonly actor?: string;
  readonly data?: unknown;
}

/**
 * Writes the events of one stream. Raising the stream's counter locks its row until the commit, so
 * numbers commit in order and a reader that has seen 7 will never be handed 6. Streams are taken in
 * the order of their ids, as last locks.
 */
export function writingEvents(stream: string, events: readonly WrittenEvent[]): Statement<number> {
  return changesOf(
    `WITH raised AS (
       INSERT INTO event_streams AS s (stream, seq) VALUES (?, ?)
       ON CONFLICT (stream) DO UPDATE SET seq = s.seq + excluded.seq RETURNING seq
     )
     INSERT INTO events (stream, seq, id, type, subject, actor, data)
     SELECT ?, raised.seq - ? + e.position, e.id, e.type, e.subject, e.actor, e.data::jsonb
     FROM raised, unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::text[])
       WITH ORDINALITY AS e(id, type, subject, actor, data, position)`,
    [
      stream,
      events.length,
      stream,
      events.length,
      events.map(() => newId('evt')),
      events.map(({ type }) => type),
      events.map(({ subject }) => subject),
      events.map(({ actor }) => actor ?? ''),
      events.map(({ data }) => JSON.stringify(data ?? {})),
    ],
  );
}
