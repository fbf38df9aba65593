import { UnauthorizedError } from '@floy/domain';
import { HttpError } from '@floy/service-kit/http-errors';
import { MemoryStore, type Options } from 'express-rate-limit';
import type { Request } from 'express';

/** How many wrong tokens an address may send in a minute before it has to wait. */
const WRONG_PER_MINUTE = 300;
const windowMs = 60_000;

/** Runs what asks for a token, and counts who sends a wrong one. */
export type GuardTokens = <T>(request: Request, authenticating: Promise<T>) => Promise<T>;

/**
 * Slows down whoever tries tokens. Only a wrong one is counted, and only a wrong one is refused: an
 * address is often that of a proxy, and nobody may lock out those who share it.
 */
export function createTokenGuard(): GuardTokens {
  const wrong = new MemoryStore();
  wrong.init({ windowMs } as Options);
  return async (request, authenticating) => {
    try {
      return await authenticating;
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error;
      const { totalHits } = await wrong.increment(request.ip ?? '');
      if (totalHits <= WRONG_PER_MINUTE) throw error;
      const retry = { 'Retry-After': '60' };
      throw new HttpError(429, 'RATE_LIMITED', 'Too many wrong tokens: wait a minute', retry);
    }
  };
}
