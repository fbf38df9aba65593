import { UnavailableError } from '@floy/domain';
import pg from 'pg';

/**
 * A statement reached a limit on its time: a lock that was held for too long, a query that is too
 * slow, a transaction that waited. It is no FloyError, since it is no answer to any work: it counts
 * as an error, unless Postgres or this process stood still meanwhile.
 */
export class SlowStatementError extends Error {
  constructor(cause: Error) {
    super(`A statement took too long: ${cause.message}`, { cause });
    this.name = 'SlowStatementError';
  }
}

/**
 * SQLSTATEs of a server that is away, full or read-only. Not 08P01: Postgres answers that to a
 * statement with too few values.
 */
const away = /^(08(?!P01)...|53[0-3]00|57P0[1235]|25006)$/;
/** Cancelled by a limit, a lock not had in time, a transaction that was idle or took too long. */
const tooSlow = /^(57014|55P03|25P03|25P04)$/;

const socketCalls = /^(connect|read|write|shutdown|getaddrinfo)/;
const brokenSockets = new Set([
  'ECONNRESET',
  'EPIPE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);
/** How `pg` and its pool name a connection that broke or could not be had. */
const brokenConnections =
  /^(Connection terminated|Client (was closed|has encountered a connection error)|timeout (expired|exceeded when trying to connect))/;

/**
 * What an error of `pg` means to the rest of Floy: UnavailableError for an outage,
 * SlowStatementError for a limit on time, else the error itself, `code` included. Only for what
 * `pg` threw: the same shapes come from the connections of others, and are failures of that work.
 */
export function postgresError(thrown: unknown): Error {
  const error = thrown as Error;
  if (error instanceof pg.DatabaseError) {
    const code = error.code ?? '';
    if (tooSlow.test(code)) return new SlowStatementError(error);
    return away.test(code) ? outage(error) : error;
  }
  if (error.message === 'Query read timeout') return new SlowStatementError(error);
  return isBrokenConnection(error) ? outage(error) : error;
}

function outage(cause: Error): UnavailableError {
  return new UnavailableError('The database cannot be reached right now', {}, { cause });
}

function isBrokenConnection(error: NodeJS.ErrnoException & { errors?: Error[] }): boolean {
  const { code, syscall, errors } = error;
  // One error for each address that was tried.
  if (errors !== undefined) return errors.length > 0 && errors.every(isBrokenConnection);
  if (syscall !== undefined && socketCalls.test(syscall)) return true;
  return brokenSockets.has(code ?? '') || brokenConnections.test(error.message);
}
