/** A signal that also ends for reasons of its own. */
export interface NarrowedSignal {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** Aborts with this reason after this time, instead of what was set before. */
  abortAfter(ms: number, reason: unknown): void;
  /** To be called when the work is over: lets go of the outer signal. */
  release(): void;
}

/**
 * Instead of `AbortSignal.any` with `AbortSignal.timeout`: Node 20 may collect the timeout before it
 * fires, as nothing holds it, and the work then waits for ever.
 */
export function narrowSignal(outer: AbortSignal | undefined): NarrowedSignal {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onOuter = (): void => controller.abort(outer?.reason);
  if (outer?.aborted) onOuter();
  else outer?.addEventListener('abort', onOuter);
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    abortAfter(ms, reason) {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(reason), ms);
    },
    release() {
      clearTimeout(timer);
      outer?.removeEventListener('abort', onOuter);
    },
  };
}
