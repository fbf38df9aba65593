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
 * such an error is not counted against a message. Recognised by shape, because drivers, pools and
 * sockets each throw classes of their own.
 */
export function isOutage(error: unknown): boolean {
  // What Floy itself decided may quote a host that speaks of its own database.
  if (error instanceof FloyError) return error instanceof UnavailableError;
  if (typeof error !== 'object' || error === null) return false;
  const { code, syscall, message, errors } = error as Record<string, unknown>;
  if (syscall === 'connect') return true;
  if (Array.isArray(errors)) return errors.length > 0 && errors.every(isOutage);
  if (typeof code === 'string' && (networkCodes.has(code) || postgresCodes.test(code))) return true;
  return typeof message === 'string' && messages.test(message);
}
