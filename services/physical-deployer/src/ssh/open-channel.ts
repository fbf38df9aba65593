import { CouldNotTellError } from '@floy/domain';

/** How long a host may take to open a channel. */
const OPEN_MS = 10_000;

/**
 * Waits for a channel until a time has passed or the signal aborts: a host that never answers, or
 * whose own connection to somewhere takes minutes to fail, holds nobody. A channel that comes after
 * that is closed again.
 */
export function openChannel<C extends { destroy(): unknown }>(
  open: (opened: (error: Error | undefined, channel: C) => void) => void,
  signal: AbortSignal | undefined,
  limitMs = OPEN_MS,
): Promise<C> {
  return new Promise((resolve, reject) => {
    let waiting = true;
    const settle = (how: () => void): void => {
      if (!waiting) return;
      waiting = false;
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
      how();
    };
    const aborted = (): void => settle(() => reject(signal?.reason));
    const late = new CouldNotTellError(`no channel was opened within ${limitMs / 1000} s`);
    const timer = setTimeout(() => settle(() => reject(late)), limitMs);
    if (signal?.aborted) return aborted();
    signal?.addEventListener('abort', aborted);
    try {
      open((error, channel) => {
        if (error) settle(() => reject(error));
        else if (waiting) settle(() => resolve(channel));
        else channel.destroy();
      });
    } catch (error) {
      settle(() => reject(error));
    }
  });
}
