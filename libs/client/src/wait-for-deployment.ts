import type { Deployment, Event } from '@floy/contracts';
import { liveItems } from './live-events.js';
import { call, type ClientOptions } from './transport.js';

export interface WaitOptions {
  /** Milliseconds; default ten minutes. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called with each event as it happens. */
  readonly onEvent?: (event: Event) => void;
  /** What to wait for; default: final, and every target has its verdict. */
  readonly until?: (deployment: Deployment) => boolean;
}

const isSettled = (deployment: Deployment): boolean => deployment.settled_at !== null;

/**
 * Follows a deployment until it is settled (or what `until` says). Nothing is polled: the history
 * wakes it. Throws when the time is up.
 */
export async function waitForDeployment(
  client: ClientOptions,
  id: string,
  { timeoutMs = 600_000, signal, onEvent, until = isSettled }: WaitOptions = {},
): Promise<Deployment> {
  const look = () => call<Deployment>(client, 'GET', `/deployments/${encodeURIComponent(id)}`);
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeoutMs);
  const signals = signal === undefined ? [stop.signal] : [stop.signal, signal];
  let last: Deployment | undefined;
  try {
    const path = `/deployments/${encodeURIComponent(id)}/events`;
    for await (const event of liveItems<Event>(client, path, {
      signal: AbortSignal.any(signals),
    })) {
      onEvent?.(event);
      if (!event.type.startsWith('deployment.')) continue;
      last = await look();
      if (until(last)) return last;
    }
  } finally {
    clearTimeout(timer);
    stop.abort();
  }
  const seen = last === undefined ? 'nothing was seen of it' : `it is ${last.status}`;
  throw new Error(`Stopped waiting for deployment ${id}: ${seen}`);
}
