import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { Database } from '@floy/database/database';
import { createSessionRepository, SESSION_SECONDS } from '@floy/database/repositories/sessions';
import { createTokenRepository, type TokenHolder } from '@floy/database/repositories/tokens';
import { ForbiddenError, UnauthorizedError } from '@floy/domain';
import { HttpError } from '@floy/service-kit/http-errors';
import { parseCookie } from 'cookie';
import express, { type Express, type Request, type Response } from 'express';
import { bearerToken, requireRole } from '../authorize.js';
import { loginPage } from './login-page.js';
import type { GuardTokens } from './rate-limit.js';
import { requireSameOrigin } from './same-origin.js';

/** A queue as the board shows it. */
export type BoardQueue = ConstructorParameters<typeof BullMQAdapter>[0];

const BOARD = '/admin/queues';
const COOKIE = 'floy_session';

// The board's own page names a font of another host: it is not loaded.
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * What waits and runs on the queues, for admins. It only shows: the queues are hints, and what is
 * done to them changes nothing that Postgres does not undo. A browser gets in by a session made from
 * a token on a small page, a program by the token itself.
 */
export function mountBoard(
  app: Express,
  database: Database,
  queues: readonly BoardQueue[],
  guardTokens: GuardTokens,
): void {
  const tokens = createTokenRepository(database.knex);
  const sessions = createSessionRepository(database.knex);

  async function holderOf(request: Request): Promise<TokenHolder> {
    const session = cookieOf(request);
    if (session !== undefined && request.header('Authorization') === undefined)
      return guardTokens(request, session, sessions.authenticate);
    return guardTokens(request, bearerToken(request), tokens.authenticate);
  }

  app.use('/admin', (_request, response, next) => {
    response.setHeader('Content-Security-Policy', policy);
    next();
  });
  app.get('/admin/login', (_request, response) => {
    response.type('html').send(loginPage());
  });
  app.post('/admin/login', form, async (request, response) => {
    requireSameOrigin(request);
    try {
      const holder = await guardTokens(request, tokenOf(request), tokens.authenticate);
      requireRole(holder, 'admin');
      await sessions.end(cookieOf(request) ?? '');
      setCookie(request, response, await sessions.begin(holder.id), SESSION_SECONDS);
      response.redirect(303, BOARD);
    } catch (error) {
      const refused = error instanceof UnauthorizedError || error instanceof ForbiddenError;
      if (!refused) throw error;
      const status = error instanceof ForbiddenError ? 403 : 401;
      response.status(status).type('html').send(loginPage(error.message));
    }
  });
  app.post('/admin/logout', form, async (request, response) => {
    requireSameOrigin(request);
    await sessions.end(cookieOf(request) ?? '');
    setCookie(request, response, '', 0);
    response.redirect(303, '/admin/login');
  });
  app.use(BOARD, async (request, response, next) => {
    // The board has routes that change queues. Nothing here is for changing, whoever asks.
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const headers = { Allow: 'GET, HEAD' };
      throw new HttpError(405, 'INVALID_REQUEST', 'The board only shows', headers);
    }
    try {
      requireRole(await holderOf(request), 'admin');
    } catch (error) {
      const browser = (request.header('Accept') ?? '').includes('text/html');
      if (!browser || !(error instanceof UnauthorizedError)) throw error;
      return response.redirect(303, '/admin/login');
    }
    next();
  });
  app.use(BOARD, boardOf(queues));
}

function boardOf(queues: readonly BoardQueue[]): express.RequestHandler {
  const adapter = new ExpressAdapter();
  adapter.setBasePath(BOARD);
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true })),
    serverAdapter: adapter,
    options: { uiConfig: { boardTitle: 'Floy', hideRedisDetails: true } },
  });
  // The adapter's router is an express app of its own, which names itself in every answer.
  return (adapter.getRouter() as Express).disable('x-powered-by');
}

const form = express.urlencoded({
  extended: false,
  inflate: false,
  limit: 4096,
  parameterLimit: 4,
});

function tokenOf(request: Request): string {
  const { token } = (request.body ?? {}) as { token?: unknown };
  if (typeof token === 'string' && token.trim() !== '') return token.trim();
  throw new UnauthorizedError('Enter a token');
}

function cookieOf(request: Request): string | undefined {
  const value = parseCookie(request.header('Cookie') ?? '')[COOKIE];
  return value === '' ? undefined : value;
}

function setCookie(request: Request, response: Response, value: string, seconds: number): void {
  response.cookie(COOKIE, value, {
    path: '/admin',
    httpOnly: true,
    sameSite: 'strict',
    secure: request.secure || request.header('X-Forwarded-Proto') === 'https',
    maxAge: seconds * 1000,
  });
}
