import { setTimeout as wait } from 'node:timers/promises';
import { ApiError } from './api-error.js';
import { parseEvents } from './event-stream.js';
import { send, type ClientOptions } from './transport.js';

/** How long to wait before connecting again. Milliseconds. */
const RECONNECT_MS = 500;

export interface LiveOptions {
  /** Begin behind this number; 0 is the beginning. */
  readonly after?: number;
  readonly signal?: AbortSignal;
}

/**
 * Follows a stream of the API and yields each item once, in order, also across lost connections.
 * Ends when the server says `end` or the signal aborts. Throws ApiError where the server says no.
 */
export async function* liveItems<T>(
  client: ClientOptions,
  path: string,
  { after = 0, signal }: LiveOptions = {},
): AsyncGenerator<T, void, undefined> {
  let last = after;
  while (!isAborted(signal)) {
    try {
      const response = await send(client, 'GET', path, {
        headers: { Accept: 'text/event-stream', 'Last-Event-ID': String(last) },
        ...(signal === undefined ? {} : { signal }),
      });
      for await (const event of parseEvents(response.body)) {
        if (event.name === 'end') return;
        yield JSON.parse(event.data) as T;
        if (event.id !== undefined) last = Number(event.id);
      }
    } catch (error) {
      if (isAborted(signal)) return;
      if (error instanceof ApiError && error.status < 500) throw error;
    }
    await wait(RECONNECT_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}
