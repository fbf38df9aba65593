import { setTimeout as delay } from 'node:timers/promises';
import type { EventSink } from '@floy/service-kit/http-sse';
import type { Listener } from '@floy/database/listener';

/** How often a source is looked at when no nudge comes. Milliseconds. */
const POLL_MS = 1000;
/** Looks are at least this far apart, so that a burst of changes is read at once. Milliseconds. */
const APART_MS = 50;

export interface FollowOptions<T> {
  readonly listener: Listener;
  /** The stream whose nudges mean that there may be more. */
  readonly stream: string;
  /** The number behind which to go on. */
  readonly from: number;
  /** Items behind a number, oldest first, a bounded many, and whether there may be more already. */
  read(after: number): Promise<{ readonly items: readonly T[]; readonly more: boolean }>;
  numberOf(item: T): number;
  nameOf?(item: T): string;
  /** Whether who asked still may: a token can be revoked while its stream is open. */
  allowed(): Promise<boolean>;
  /** Whether nothing will follow; asked before the last look. */
  ended?(): Promise<boolean>;
}

/**
 * Sends what is there and then what comes, each with its number, so that a client that was cut off
 * goes on where it was. Where the source ends, an event `end` says so; without the right to go on the
 * stream just closes.
 */
export async function follow<T>(sink: EventSink, options: FollowOptions<T>): Promise<void> {
  let last = options.from;
  let woken = true;
  let wake = (): void => {};
  const off = options.listener.on('stream', options.stream, () => {
    woken = true;
    wake();
  });
  const nap = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(() => wake(), POLL_MS);
      wake = () => {
        clearTimeout(timer);
        sink.closed.removeEventListener('abort', wake);
        resolve();
      };
      sink.closed.addEventListener('abort', wake, { once: true });
      if (woken) wake();
    });
  try {
    while (!sink.closed.aborted) {
      woken = false;
      if (!(await options.allowed())) return;
      const ended = (await options.ended?.()) ?? false;
      const lookedAt = performance.now();
      const { items, more } = await options.read(last);
      for (const item of items) {
        const id = options.numberOf(item);
        if (!(await sink.send({ id, event: options.nameOf?.(item), data: item }))) return;
        last = id;
      }
      if (more) continue;
      if (ended) return void (await sink.send({ event: 'end', data: {} }));
      await nap();
      const early = APART_MS - (performance.now() - lookedAt);
      if (early > 0) await delay(early, undefined, { signal: sink.closed }).catch(() => undefined);
    }
  } finally {
    off();
  }
}
