import { InvalidRequestError } from '@floy/domain';
import { HttpError } from './http-errors.js';

/** How deep objects and lists of a request may stand in each other. */
const DEEPEST = 64;

/**
 * Parses the body of a request. No body means `{}`.
 * Throws InvalidRequestError on broken JSON, and on what Postgres or a shell could not keep: NUL
 * characters, halves of surrogate pairs, the key `__proto__`, nesting without end.
 */
export function parseBody(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new InvalidRequestError('The body is not JSON in UTF-8', { body: 'is not JSON' });
  }
  refuseUnstorable(value);
  return value;
}

/**
 * What a parser of express says about a body (of the API or of a form), in Floy's words; any other
 * error as it is.
 */
export function bodyError(error: unknown): unknown {
  const { status, type, limit } = error as { status?: unknown; type?: unknown; limit?: unknown };
  if (typeof type !== 'string') return error;
  if (status === 413) {
    const most = typeof limit === 'number' ? `larger than ${limit} bytes` : 'too large';
    return new HttpError(413, 'INVALID_REQUEST', `The body is ${most}`);
  }
  if (status === 415) return new HttpError(415, 'INVALID_REQUEST', 'The body must not be encoded');
  if (status === 400) return new HttpError(400, 'INVALID_REQUEST', 'The body was cut off');
  return error;
}

function refuseUnstorable(value: unknown): void {
  const open: { value: unknown; path: string; depth: number }[] = [{ value, path: '', depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, path, depth } = next;
    if (typeof value === 'string') refuseText(value, path);
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= DEEPEST) refuse(path, `is nested deeper than ${DEEPEST} levels`);
    for (const [name, below] of Object.entries(value)) {
      const here = Array.isArray(value) ? `${path}[${name}]` : joined(path, name);
      if (name === '__proto__') refuse(here, 'is not a possible name');
      if (!Array.isArray(value)) refuseText(name, here);
      open.push({ value: below, path: here, depth: depth + 1 });
    }
  }
}

/** Throws InvalidRequestError when a text could not be stored. */
export function refuseText(text: string, path: string): void {
  if (text.includes('\0')) refuse(path.replaceAll('\0', ''), 'must not hold a NUL character');
  if (/\p{Surrogate}/u.test(text)) refuse(path, 'is not valid Unicode');
}

function refuse(path: string, reason: string): never {
  const field = path === '' ? 'body' : path;
  throw new InvalidRequestError(`${field} ${reason}`, { [field]: reason });
}

function joined(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
