import { FloyError, UnavailableError } from '@floy/domain';

const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** Postgres' classes 08 (connection), 53 (resources), 57P0x (shutdown), 25006 (read-only), 55P03/57014 (time-outs). */
const postgresCodes = /^(08...|53...|57P0.|25006|25P03|55P03|57014)$/;

const messages =
  /Connection terminated|timeout expired|timeout exceeded when trying to connect|Connection ended|Client has encountered a connection error|Connection is closed|Query read timeout|server closed the connection/i;

/**
 * Whether an error says that Postgres, Redis or the network was away, and nothing about the work:
 * such an error is not counted against a message.
 */
export function isOutage(error: unknown): boolean {
  // What Floy itself decided may quote a host that speaks of its own database.
  if (error instanceof FloyError) return error instanceof UnavailableError;
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  if (syscall === 'connect') return true;
  if (typeof code === 'string' && (networkCodes.has(code) || postgresCodes.test(code))) return true;
  if (error instanceof AggregateError)
    return error.errors.length > 0 && error.errors.every(isOutage);
  return messages.test(error.message);
}
