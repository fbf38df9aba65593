import type pg from 'pg';
import { nudgeChannel, type Nudge } from './after-commit.js';
import { connectionSettings } from './database.js';
import { postgresError } from './outages.js';
import { ProvenClient } from './proven-client.js';

export interface Listener {
  /**
   * Calls `wake` whenever a nudge of this topic and id arrives (or any, with id `*`), and once
   * after every reconnect, because nudges sent meanwhile are lost. Nudges are hints: poll as a
   * backstop.
   */
  on(topic: Nudge['topic'], id: string, wake: () => void): () => void;
  close(): Promise<void>;
}

const reconnectMs = 500;

/** LISTENs on a connection of its own, and keeps at it for as long as the process lives. */
export function createListener(url: string, onError: (error: Error) => void): Listener {
  const wakes = new Map<string, Set<() => void>>();
  let client: pg.Client | undefined;
  let closed = false;
  let retry: NodeJS.Timeout | undefined;

  function wake(key: string): void {
    for (const call of wakes.get(key) ?? []) call();
  }

  function again(failed: pg.Client): void {
    if (closed || client !== failed) return;
    client = undefined;
    failed.end().catch(() => undefined);
    retry = setTimeout(() => void connect(), reconnectMs);
  }

  async function connect(): Promise<void> {
    if (closed) return;
    const next = new ProvenClient(connectionSettings(url, 'floy-listener'));
    client = next;
    next.on('error', (error) => {
      onError(postgresError(error));
      again(next);
    });
    next.on('end', () => again(next));
    next.on('notification', ({ payload }) => {
      for (const { topic, id } of nudgesIn(payload)) {
        wake(`${topic} ${id}`);
        wake(`${topic} *`);
      }
    });
    try {
      await next.connect();
      await next.query(`LISTEN ${nudgeChannel}`);
      for (const key of wakes.keys()) wake(key);
    } catch (error) {
      onError(postgresError(error));
      again(next);
    }
  }

  void connect();
  return {
    on(topic, id, call) {
      const key = `${topic} ${id}`;
      const calls = wakes.get(key) ?? new Set();
      wakes.set(key, calls.add(call));
      return () => {
        calls.delete(call);
        if (calls.size === 0 && wakes.get(key) === calls) wakes.delete(key);
      };
    },
    async close() {
      closed = true;
      clearTimeout(retry);
      await client?.end().catch(() => undefined);
    },
  };
}

/** Every user of the database may notify whomever they like of anything: that wakes nobody. */
function nudgesIn(payload: string | undefined): Partial<Nudge>[] {
  try {
    const nudges: unknown = JSON.parse(payload ?? '');
    return Array.isArray(nudges) ? nudges.filter((nudge) => typeof nudge?.id === 'string') : [];
  } catch {
    return [];
  }
}
