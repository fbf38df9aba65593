/**
 * How long a composition may take to stop: its services, then its servers, each of which may take as
 * long as a process of its own.
 */
export const COMPOSITION_STOP_LIMIT_MS = 90_000;
