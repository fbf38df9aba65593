import { apiErrorOf } from './api-error.js';

export interface ClientOptions {
  /** Where Floy is, without `/api/v1`. */
  readonly url: string;
  readonly token: string;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Makes repeating a POST safe: the same key gives the same answer. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Sends one request; the answer is ok. Throws ApiError, or what fetch throws. */
export async function send(
  { url, token }: ClientOptions,
  method: Method,
  path: string,
  options: CallOptions = {},
): Promise<Response> {
  const { body, query = {}, idempotencyKey, signal } = options;
  const target = new URL(`${url.replace(/\/$/, '')}/api/v1${path}`);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) target.searchParams.set(name, String(value));
  }
  const response = await fetch(target, {
    method,
    headers: {
      Authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (!response.ok) throw await apiErrorOf(response);
  return response;
}

/** Sends one request and reads its JSON. */
export async function call<T>(
  client: ClientOptions,
  method: Method,
  path: string,
  options?: CallOptions,
): Promise<T> {
  const response = await send(client, method, path, options);
  return (await response.json()) as T;
}
