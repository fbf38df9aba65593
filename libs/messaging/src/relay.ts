import type { MessageKind } from '@floy/contracts';
import type { Database } from '@floy/database/database';
import type { BusPublisher } from './publisher.js';

export interface Relay {
  stop(): Promise<void>;
}

const batchSize = 200;
const longestPauseMs = 1000;
const shortestPauseMs = 30;
/** How long done messages are kept, to look at, and how often old ones are removed. */
const keptHours = 24;
const removeEveryMs = 600_000;
const lookEveryMs = 10_000;

interface DueMessage {
  id: string;
  kind: MessageKind;
  claims: number;
  publishes: number;
}

type Publisher = Pick<BusPublisher, 'publish' | 'ownKinds'>;

/** Messages of a kind that are due and that nobody has in hand. */
export interface Backlog {
  readonly kind: MessageKind;
  readonly waiting: number;
  /** How long the one that has waited longest was due. */
  readonly oldestSeconds: number;
}

/**
 * Publishes what is due and not done, again and again: timers whose time has come, and whatever got
 * lost on any way. It moves `publish_at` forward first (2 s growing to 10 s) and commits, so that
 * several relays share the rows and a dying one loses nothing.
 *
 * Rows are claimed by their state with SKIP LOCKED, never by "later than the last seen": numbers
 * and times do not become visible in order.
 *
 * @param onBacklog told every ten seconds what waits, of every kind that has any
 */
export function startRelay(
  database: Database,
  publisher: Publisher,
  onError: (error: unknown) => void,
  onBacklog: (backlog: Backlog[]) => void = () => undefined,
): Relay {
  let stopped = false;
  let wake: () => void = () => undefined;
  const loop = run();

  async function run(): Promise<void> {
    let removedAt = performance.now();
    let lookedAt = -Infinity;
    while (!stopped) {
      let pauseMs = longestPauseMs;
      try {
        pauseMs = await relayOnce(database, publisher);
        if (performance.now() - removedAt > removeEveryMs) {
          removedAt = performance.now();
          await removeDone(database);
        }
        if (performance.now() - lookedAt > lookEveryMs) {
          lookedAt = performance.now();
          onBacklog(await lookAtBacklog(database));
        }
      } catch (error) {
        onError(error);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pauseMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  return {
    async stop() {
      stopped = true;
      wake();
      await loop;
    },
  };
}

/**
 * What was published in vain is left so long to a relay beside its workers, which can hand it over
 * where the queue does not deliver.
 */
const graceSql = "interval '2 seconds'";

/** One pass; answers after how many milliseconds the next is worth it. */
async function relayOnce(database: Database, publisher: Publisher): Promise<number> {
  // Kinds that only a newer Floy beside this one knows are for its relays.
  const kinds = Object.keys(database.catalogues.messages);
  const own = publisher.ownKinds();
  const { rows } = await database.knex.raw<{ rows: DueMessage[] }>(
    `WITH due AS (
       SELECT id FROM messages
       WHERE done_at IS NULL AND publish_at <= clock_timestamp() AND kind = ANY(?)
         AND (publishes = 0 OR kind = ANY(?) OR publish_at <= clock_timestamp() - ${graceSql})
       ORDER BY publish_at LIMIT ${batchSize} FOR UPDATE SKIP LOCKED
     )
     UPDATE messages m
     SET publishes = publishes + 1,
         publish_at = clock_timestamp() + make_interval(secs => least(2 * (publishes + 1), 10))
     FROM due WHERE m.id = due.id RETURNING m.id, m.kind, m.claims, m.publishes`,
    [kinds, own],
  );
  if (rows.length > 0) await publisher.publish(rows);
  if (rows.length === batchSize) return 0;
  const next = await database.knex.raw<{ rows: { pause: number | null }[] }>(
    `SELECT extract(epoch FROM min(publish_at
       + CASE WHEN publishes = 0 OR kind = ANY(?) THEN interval '0' ELSE ${graceSql} END
     ) - clock_timestamp())::float8 * 1000 AS pause
     FROM messages WHERE done_at IS NULL AND kind = ANY(?)`,
    [own, kinds],
  );
  const pause = next.rows[0]?.pause ?? longestPauseMs;
  return Math.min(Math.max(pause, shortestPauseMs), longestPauseMs);
}

/** What is in work, or waits for work on the same subject, has somebody who sees to it. */
async function lookAtBacklog(database: Database): Promise<Backlog[]> {
  const { rows } = await database.knex.raw<{ rows: Backlog[] }>(
    `SELECT kind, count(*)::int AS waiting,
            extract(epoch FROM clock_timestamp() - min(due_at))::float8 AS "oldestSeconds"
     FROM messages m WHERE done_at IS NULL AND due_at <= clock_timestamp()
       AND NOT EXISTS (SELECT FROM leases l WHERE l.subject = m.subject AND l.holder IS NOT NULL)
     GROUP BY kind`,
  );
  return rows;
}

/** Removes a bounded number of old done messages; relays that do it at once share them. */
async function removeDone(database: Database): Promise<void> {
  await database.knex.raw(
    `DELETE FROM messages WHERE id IN (
       SELECT id FROM messages WHERE done_at < clock_timestamp() - interval '${keptHours} hours'
       LIMIT 5000 FOR UPDATE SKIP LOCKED)`,
  );
}
