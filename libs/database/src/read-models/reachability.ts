import { UnavailableError } from '@floy/domain';
import { connectionSettings, type Database } from '../database.js';
import { ProvenClient } from '../proven-client.js';

/** A request that took this long asks whether Postgres is there at all. Milliseconds. */
const PATIENCE_MS = 150;
/** How long a connection and one statement may take where it is there. Milliseconds. */
const PROBE_MS = 600;
/**
 * Whoever of this process was answered so recently has shown that Postgres is there: on a loaded
 * machine a new connection takes longer than requests that are under way. Milliseconds.
 */
const RECENT_MS = 250;
/** How long an answer of the probe holds. Milliseconds. */
const KNOWN_MS = 500;

export interface Reachability {
  /**
   * The work's own result, unless Postgres turns out to be out of reach meanwhile: then
   * UnavailableError, within a second. A network that swallows packets breaks no connection, and a
   * limit on the time of queries cannot tell it from a busy server.
   */
  whileReachable<T>(work: Promise<T>): Promise<T>;
}

/** Watches over a database; nothing runs while requests are quick. */
export function createReachability(database: Pick<Database, 'url' | 'answeredAt'>): Reachability {
  let probe: { readonly answer: Promise<boolean>; readonly until: number } | undefined;

  function isReachable(): Promise<boolean> {
    const now = performance.now();
    if (now - database.answeredAt() < RECENT_MS) return Promise.resolve(true);
    if (probe === undefined || now > probe.until) {
      probe = { answer: tryOnce(database.url), until: now + KNOWN_MS };
    }
    return probe.answer;
  }

  return {
    async whileReachable(work) {
      const done = new AbortController();
      const finished = work.finally(() => done.abort());
      return Promise.race([finished, outOfReach(isReachable, done.signal)]);
    },
  };
}

/** Rejects when Postgres is out of reach; never resolves. */
async function outOfReach(isReachable: () => Promise<boolean>, done: AbortSignal): Promise<never> {
  for (;;) {
    await pause(PATIENCE_MS, done);
    if (!(await isReachable()) && !done.aborted) {
      throw new UnavailableError('The database cannot be reached right now');
    }
  }
}

/** Waits, for ever once `done`: what nobody waits for any more is collected. */
function pause(ms: number, done: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (done.aborted) return;
    const stop = () => clearTimeout(timer);
    const timer = setTimeout(() => {
      done.removeEventListener('abort', stop);
      resolve();
    }, ms);
    done.addEventListener('abort', stop, { once: true });
  });
}

async function tryOnce(url: string): Promise<boolean> {
  const client = new ProvenClient({
    ...connectionSettings(url, 'floy-probe'),
    connectionTimeoutMillis: PROBE_MS,
    query_timeout: PROBE_MS,
  });
  client.on('error', () => undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), PROBE_MS);
  });
  const asked = client.connect().then(
    () => client.query('SELECT 1').then(() => true),
    // Too many connections, starting up: an answer, so it is in reach.
    (error: { code?: unknown }) =>
      typeof error.code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(error.code),
  );
  try {
    return await Promise.race([asked.catch(() => false), late]);
  } finally {
    clearTimeout(timer);
    client.end().catch(() => undefined);
  }
}
