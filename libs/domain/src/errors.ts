/**
 * What can go wrong, by meaning. Transport comes later: `@floy/service-kit/http-errors` maps these
 * to HTTP, `@floy/messaging` to what becomes of a message.
 */
export abstract class FloyError extends Error {
  /** `details` maps a field path (`config.hosts[0].port`) to the reason it was refused. */
  constructor(
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    // Text from a target may be part of it, and Postgres keeps no text with a NUL.
    super(message.replaceAll('\0', '\uFFFD'), options);
    this.name = new.target.name;
  }
}

/** The request or a stored setting is wrong; the sender has to change it. */
export class InvalidRequestError extends FloyError {}
/** No valid credentials were sent. */
export class UnauthorizedError extends FloyError {}
/** The credentials do not allow this. */
export class ForbiddenError extends FloyError {}
/** The thing named does not exist. */
export class NotFoundError extends FloyError {}
/** The thing exists already, or its state does not allow this now. */
export class ConflictError extends FloyError {}
/** A server Floy depends on could not be reached; the same call may work later. */
export class UnavailableError extends FloyError {}
/** The holder's lease was taken over, cancelled or has run out: it must stop and write nothing. */
export class LeaseLostError extends FloyError {}

/**
 * The work was carried out and the answer is no: a non-zero exit, a failed health check, a setting
 * that cannot work. Never retried (law 4: failure is a verdict).
 */
export class VerdictError extends FloyError {}

/**
 * The work could not be carried out or its outcome could not be told: no connection, a cut
 * transfer. Retried up to `retry_count` (law 4: error is not failure).
 */
export class CouldNotTellError extends FloyError {}

/**
 * Whether an error says something about the work itself: refused, failed or not to be told. An
 * outage and a lost lease say nothing, so that whoever judges the work throws them on.
 */
export function isAnswer(error: unknown): error is FloyError {
  const saysNothing = error instanceof UnavailableError || error instanceof LeaseLostError;
  return error instanceof FloyError && !saysNothing;
}

/** So many problems are told in a message, each cut after so many characters; `details` has all. */
const TOLD = 5;
const TOLD_LENGTH = 300;

/** Field path → reason as one sentence: `name: is required; config.hosts: must be a list`. */
export function textOfProblems(problems: Readonly<Record<string, string>>): string {
  const all = Object.entries(problems);
  const told = all.slice(0, TOLD).map((problem) => problem.join(': ').slice(0, TOLD_LENGTH));
  const more = all.length - told.length;
  return [...told, ...(more > 0 ? [`and ${more} more in details`] : [])].join('; ');
}

/** The text of anything thrown, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
