import { HttpError } from '@floy/service-kit/http-errors';
import { rateLimit } from 'express-rate-limit';
import type { RequestHandler } from 'express';

/** How many wrong tokens an address may send in a minute before it has to wait. */
const WRONG_PER_MINUTE = 300;

/** Slows down whoever tries tokens; requests with a good one are not counted. */
export function limitBadTokens(): RequestHandler {
  return rateLimit({
    windowMs: 60_000,
    limit: WRONG_PER_MINUTE,
    standardHeaders: false,
    legacyHeaders: false,
    requestWasSuccessful: (_request, response) => response.statusCode !== 401,
    skipSuccessfulRequests: true,
    handler: () => {
      const retry = { 'Retry-After': '60' };
      throw new HttpError(429, 'RATE_LIMITED', 'Too many wrong tokens: wait a minute', retry);
    },
  });
}
