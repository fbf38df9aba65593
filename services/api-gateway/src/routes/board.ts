import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import type { Database } from '@floy/database/database';
import { createSessionRepository, SESSION_SECONDS } from '@floy/database/repositories/sessions';
import { createTokenRepository, type TokenHolder } from '@floy/database/repositories/tokens';
import { ForbiddenError, InvalidRequestError, UnauthorizedError } from '@floy/domain';
import express, { type Express, type Request, type Response } from 'express';
import { bearerToken, requireRole } from '../authorize.js';
import { loginPage } from './login-page.js';
import type { GuardTokens } from './rate-limit.js';

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
    if (session !== undefined) return guardTokens(request, sessions.authenticate(session));
    const token = bearerToken(request.header('Authorization'));
    return guardTokens(request, tokens.authenticate(token));
  }

  app.use('/admin', (_request, response, next) => {
    response.set({ 'Content-Security-Policy': policy, 'Cache-Control': 'no-store' });
    next();
  });
  app.get('/admin/login', (_request, response) => {
    response.type('html').send(loginPage());
  });
  app.post('/admin/login', form, async (request, response) => {
    requireSameOrigin(request);
    try {
      const holder = await guardTokens(request, tokens.authenticate(tokenOf(request)));
      requireRole(holder, 'admin');
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
  return adapter.getRouter() as express.RequestHandler;
}

const form = express.urlencoded({ extended: false, limit: 4096, parameterLimit: 4 });

function tokenOf(request: Request): string {
  const { token } = (request.body ?? {}) as { token?: unknown };
  if (typeof token === 'string' && token.trim() !== '') return token.trim();
  throw new UnauthorizedError('Enter a token');
}

/** A page of another origin cannot log a browser in or out. */
function requireSameOrigin(request: Request): void {
  const origin = request.header('Origin');
  if (origin === undefined || origin === 'null') return;
  if (URL.canParse(origin) && new URL(origin).host === request.header('Host')) return;
  throw new InvalidRequestError('This form belongs to another origin');
}

function cookieOf(request: Request): string | undefined {
  const cookies = (request.header('Cookie') ?? '').split(/; */);
  const value = cookies.find((cookie) => cookie.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
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
