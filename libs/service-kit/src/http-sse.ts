import type { ServerResponse } from 'node:http';

/** One live event. `id` is what the client sends back as `Last-Event-ID`. */
export interface ServerSentEvent {
  readonly id?: number;
  readonly event?: string;
  readonly data: unknown;
}

/** Where a handler writes live events. */
export interface EventSink {
  /** Resolves when the client can take more; false when it has gone. */
  send(event: ServerSentEvent): Promise<boolean>;
  /** Aborts when the client has gone or the process shuts down. */
  readonly closed: AbortSignal;
}

const PING_MS = 15_000;
const RECONNECT_MS = 1000;

/**
 * Turns an answer into a stream of events. `shutdown` ends it, so that a client reconnects to
 * another process instead of hanging on one that wants to go.
 */
export async function streamEvents(
  response: ServerResponse,
  shutdown: AbortSignal,
  write: (sink: EventSink) => Promise<void>,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const closed = AbortSignal.any([gone.signal, shutdown]);
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store, no-transform',
    'X-Accel-Buffering': 'no',
  });
  response.write(`retry: ${RECONNECT_MS}\n\n`);
  const ping = setInterval(() => response.write(': ping\n\n'), PING_MS);
  try {
    await write({ send: (event) => sendEvent(response, closed, event), closed });
  } finally {
    clearInterval(ping);
    response.end();
  }
}

async function sendEvent(
  response: ServerResponse,
  closed: AbortSignal,
  event: ServerSentEvent,
): Promise<boolean> {
  if (closed.aborted) return false;
  const id = event.id === undefined ? '' : `id: ${event.id}\n`;
  const name = event.event === undefined ? '' : `event: ${event.event}\n`;
  const text = `${id}${name}data: ${JSON.stringify(event.data)}\n\n`;
  if (response.write(text)) return true;
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off('drain', done);
      closed.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    closed.addEventListener('abort', done, { once: true });
  });
  return !closed.aborted;
}
