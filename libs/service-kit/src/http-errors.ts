import type { ErrorCode, ErrorResponse } from '@floy/contracts';
import {
  ConflictError,
  CouldNotTellError,
  FloyError,
  ForbiddenError,
  InvalidRequestError,
  LeaseLostError,
  NotFoundError,
  UnauthorizedError,
  UnavailableError,
  VerdictError,
} from '@floy/domain';
import { SlowStatementError } from '@floy/database/outages';

/** An error that only HTTP knows: 405, 413, 415, 429. */
export class HttpError extends FloyError {
  constructor(
    readonly status: number,
    readonly code: ErrorCode,
    message: string,
    /** Sent beside the envelope, such as `Allow`. */
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** The one table from errors to HTTP. What stands nowhere in it is a 500. */
const table = [
  { error: InvalidRequestError, status: 400, code: 'INVALID_REQUEST' },
  { error: UnauthorizedError, status: 401, code: 'UNAUTHORIZED' },
  { error: ForbiddenError, status: 403, code: 'FORBIDDEN' },
  { error: NotFoundError, status: 404, code: 'RESOURCE_NOT_FOUND' },
  { error: ConflictError, status: 409, code: 'RESOURCE_CONFLICT' },
  { error: LeaseLostError, status: 409, code: 'RESOURCE_CONFLICT' },
  { error: VerdictError, status: 409, code: 'RESOURCE_CONFLICT' },
  { error: UnavailableError, status: 503, code: 'SERVICE_UNAVAILABLE' },
  { error: CouldNotTellError, status: 503, code: 'SERVICE_UNAVAILABLE' },
] as const;

/** An answer to a request that failed. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorResponse;
}

/** What the sender is told of anything thrown. Nothing unexpected is told: that is in the log. */
export function errorAnswer(error: unknown, requestId: string): ErrorAnswer {
  const { status, code, message, details, headers } = described(error);
  const body = { error: { code, message, details: { ...details }, request_id: requestId } };
  return { status, headers, body };
}

function described(error: unknown) {
  if (error instanceof HttpError) {
    const { status, code, message, details, headers } = error;
    return { status, code, message, details, headers };
  }
  if (error instanceof FloyError) {
    const row = table.find((each) => error instanceof each.error);
    if (row !== undefined) {
      const { message, details } = error;
      return { status: row.status, code: row.code, message, details, headers: retry(row.status) };
    }
  }
  // A lock that is busy, or a server: the same request may do better.
  if (error instanceof SlowStatementError) {
    const message = 'The database took too long to answer';
    const code: ErrorCode = 'SERVICE_UNAVAILABLE';
    return { status: 503, code, message, details: {}, headers: retry(503) };
  }
  const code: ErrorCode = 'INTERNAL_ERROR';
  return { status: 500, code, message: 'Internal error', details: {}, headers: {} };
}

function retry(status: number): Record<string, string> {
  if (status === 401) return { 'WWW-Authenticate': 'Bearer' };
  return status === 503 ? { 'Retry-After': '1' } : {};
}
