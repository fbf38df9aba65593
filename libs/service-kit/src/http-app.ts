import { randomUUID } from 'node:crypto';
import { NotFoundError } from '@floy/domain';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet, { type HelmetOptions } from 'helmet';
import { bodyError, parseBody } from './http-body.js';
import { errorAnswer, HttpError } from './http-errors.js';
import { sendFile } from './http-file.js';
import type { Input, Reply, Route } from './http-route.js';
import { streamEvents } from './http-sse.js';
import { misfit, readQuery, validate } from './http-validation.js';

/** The largest body of a request, in bytes. */
export const LARGEST_BODY = 1024 * 1024;

/** What the app needs of a logger. */
export interface HttpLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** One request on its way, as the parts that surround a handler see it. */
export interface Exchange<Caller> {
  readonly requestId: string;
  readonly request: Request;
  readonly caller: Caller;
}

export interface HttpAppOptions<Scope, Caller> {
  readonly routes: readonly Route<Scope>[];
  /** Stands before every path of the table, such as `/api/v1`. */
  readonly basePath: string;
  readonly log: HttpLog;
  /** Aborts when the process wants to go: streams end. */
  readonly shutdown: AbortSignal;
  /** Who asks, and whether they may. Runs before anything of the body is read. */
  authorize(route: Route<Scope>, request: Request): Promise<Caller>;
  /**
   * Told of each request that is authorized; what it gives back is called when nothing of the request
   * is left, neither work nor an answer that is still to be sent. May throw to refuse it.
   */
  enter?(caller: Caller): () => void;
  /** Runs a handler inside what surrounds it: transaction, repeated requests, audit. */
  run(
    route: Route<Scope>,
    exchange: Exchange<Caller>,
    input: Input<never, never, never>,
    bytes: Uint8Array,
  ): Promise<Reply>;
  /** Told when a stream of live events begins and ends. */
  readonly streams?: { inc(): void; dec(): void };
  /** Pages that are no part of the API; mounted before the table. */
  mount?(app: Express): void;
  /** Fail answers that do not fit their schema; for tests. */
  readonly checkAnswers?: boolean;
}

/**
 * Said of every answer; a page that needs more says so itself. With the referrer policy `no-referrer`
 * browsers would send `Origin: null` with forms of Floy's own, which is refused.
 */
const headers: HelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  referrerPolicy: { policy: 'same-origin' },
  strictTransportSecurity: false,
  xFrameOptions: { action: 'deny' },
};

/** The HTTP side of a service: one express app made from a table of routes. */
export function createHttpApp<Scope, Caller>(options: HttpAppOptions<Scope, Caller>): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('case sensitive routing', true);
  app.set('query parser', false);
  app.set('etag', false);
  app.use(identify(options.log));
  app.use(helmet(headers));
  options.mount?.(app);
  for (const [path, routes] of byPath(options.routes)) {
    const pattern = options.basePath + path.replaceAll(/\{(\w+)\}/g, ':$1');
    for (const route of routes) {
      app[methodName(route)](pattern, (request, response) =>
        answer(options, route, request, response),
      );
    }
    const allowed = routes.map(({ method }) => method).join(', ');
    app.all(pattern, (request) => {
      // PUT does here what others call PATCH.
      const isPatch = request.method === 'PATCH' && allowed.includes('PUT');
      const hint = isPatch ? ': PUT changes the fields that are sent and leaves the others' : '';
      const message = `${request.method} is not possible here, only ${allowed}${hint}`;
      throw new HttpError(405, 'INVALID_REQUEST', message, { Allow: allowed });
    });
  }
  app.use((request) => {
    throw new NotFoundError(`There is nothing at ${request.method} ${request.path}`);
  });
  app.use(failed(options.log));
  return app;
}

async function answer<Scope, Caller>(
  options: HttpAppOptions<Scope, Caller>,
  route: Route<Scope>,
  request: Request,
  response: Response,
): Promise<void> {
  const caller = await options.authorize(route, request);
  const leave = options.enter?.(caller) ?? (() => undefined);
  try {
    await answerTo(caller, options, route, request, response);
  } finally {
    // An answer that nobody reads takes memory for as long as its connection is there.
    if (response.closed) leave();
    else response.once('close', leave);
  }
}

async function answerTo<Scope, Caller>(
  caller: Caller,
  options: HttpAppOptions<Scope, Caller>,
  route: Route<Scope>,
  request: Request,
  response: Response,
): Promise<void> {
  const bytes = await readBody(request, response);
  const input = readInput(route, request, bytes);
  const exchange = { requestId: requestIdOf(response), request, caller };
  let reply = await options.run(route, exchange, input, bytes);
  while ('later' in reply) reply = await reply.later();
  if ('stream' in reply) {
    options.streams?.inc();
    return streamEvents(response, options.shutdown, reply.stream).finally(() =>
      options.streams?.dec(),
    );
  }
  if ('file' in reply) return sendFile(response, reply.file);
  const checked = options.checkAnswers && (reply.status ?? route.status) === route.status;
  const wrong = checked ? misfit(route.answer, reply.body) : undefined;
  if (wrong !== undefined) throw new TypeError(`${route.method} ${route.path} answers ${wrong}`);
  if (reply.location !== undefined) response.location(reply.location);
  response.status(reply.status ?? route.status).json(reply.body);
}

const raw = express.raw({ type: () => true, limit: LARGEST_BODY, inflate: false });

async function readBody(request: Request, response: Response): Promise<Uint8Array> {
  await new Promise<void>((resolve, reject) => {
    raw(request, response, (error?: unknown) => (error ? reject(error) : resolve()));
  });
  return Buffer.isBuffer(request.body) ? request.body : new Uint8Array();
}

function readInput<Scope>(
  route: Route<Scope>,
  request: Request,
  bytes: Uint8Array,
): Input<never, never, never> {
  const query = new URL(request.originalUrl, 'http://floy').searchParams;
  if (Object.values(request.params).some((param) => String(param).includes('\0'))) {
    throw new NotFoundError('There is nothing here');
  }
  const body = route.body === undefined ? {} : readJson(route, request, bytes);
  const lastEventId = request.header('Last-Event-ID');
  return {
    params: request.params as never,
    query: readQuery(route.query ?? noQuery, query) as never,
    body: body as never,
    wantsStream: (request.header('Accept') ?? '').includes('text/event-stream'),
    lastEventId: /^\d{1,15}$/.test(lastEventId ?? '') ? Number(lastEventId) : undefined,
  };
}

const noQuery = { type: 'object', additionalProperties: false };

function readJson<Scope>(route: Route<Scope>, request: Request, bytes: Uint8Array): unknown {
  if (bytes.length > 0 && !/^application\/([\w.-]+\+)?json\b/i.test(contentType(request))) {
    throw new HttpError(415, 'INVALID_REQUEST', 'The body must be sent as application/json');
  }
  const body = parseBody(bytes);
  validate(route.body!, body, 'The body', bytes.length);
  return body;
}

function contentType(request: Request): string {
  return request.header('Content-Type') ?? '';
}

function identify(log: HttpLog) {
  return (request: Request, response: Response, next: NextFunction): void => {
    const sent = request.header('X-Request-Id') ?? '';
    const id = /^[A-Za-z0-9._-]{1,64}$/.test(sent) ? sent : randomUUID();
    const started = performance.now();
    response.setHeader('X-Request-Id', id);
    // Answers hold secrets that are shown once, and what is true now: nobody keeps a copy.
    response.setHeader('Cache-Control', 'no-store');
    response.on('finish', () => {
      const ms = Math.round(performance.now() - started);
      const { method, path } = request;
      const fields = { request_id: id, method, path, status: response.statusCode, ms };
      // What only reads is asked for all the time. Operators look for what changed or was refused.
      const isRead = method === 'GET' || method === 'HEAD';
      const level = isRead && response.statusCode < 400 ? 'debug' : 'info';
      log[level](fields, response.statusCode < 400 ? 'answered' : 'refused');
    });
    next();
  };
}

function requestIdOf(response: Response): string {
  return String(response.getHeader('X-Request-Id'));
}

function failed(log: HttpLog) {
  // Four parameters are how express knows it.
  return (error: unknown, request: Request, response: Response, _next: NextFunction): void => {
    if (response.headersSent) {
      const { method, path } = request;
      const fields = { request_id: requestIdOf(response), err: error, method, path };
      log.error(fields, 'failed in the middle of the answer');
      // Cutting it off is all that can be told.
      response.destroy();
      return;
    }
    // express throws this for %-sequences that are none: such a path names nothing.
    const thrown = error instanceof URIError ? new NotFoundError('There is nothing here') : error;
    const { status, headers, body } = errorAnswer(bodyError(thrown), requestIdOf(response));
    if (status >= 500) {
      const { request_id } = body.error;
      log.error({ request_id, err: error, method: request.method, path: request.path }, 'failed');
    }
    response.status(status).set(headers).json(body);
  };
}

function byPath<Scope>(routes: readonly Route<Scope>[]): Map<string, Route<Scope>[]> {
  const paths = new Map<string, Route<Scope>[]>();
  for (const route of routes) paths.set(route.path, [...(paths.get(route.path) ?? []), route]);
  return paths;
}

function methodName<Scope>(route: Route<Scope>) {
  return route.method.toLowerCase() as 'get' | 'post' | 'put' | 'delete';
}
