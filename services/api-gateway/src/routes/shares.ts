import { HttpError } from '@floy/service-kit/http-errors';

/** How many requests of one token may be in work at once, live answers among them. */
const MOST_AT_ONCE = 100;

/**
 * Gives each token its share of the gateway: its memory, its connections to Postgres and the hosts
 * that are asked. Without a bound one token's requests have those of all others wait.
 *
 * The function that is made counts a request of a token and answers how to end it; it throws
 * HttpError 429 where too many are in work. Who needs no token (`""`) has no share.
 */
export function createShares(most = MOST_AT_ONCE): (tokenId: string) => () => void {
  const inWork = new Map<string, number>();
  return (tokenId) => {
    if (tokenId === '') return () => undefined;
    const before = inWork.get(tokenId) ?? 0;
    if (before >= most) {
      const message = `${before} requests of this token are in work: wait for some of them`;
      throw new HttpError(429, 'RATE_LIMITED', message, { 'Retry-After': '1' });
    }
    inWork.set(tokenId, before + 1);
    return () => {
      const left = (inWork.get(tokenId) ?? 1) - 1;
      if (left > 0) inWork.set(tokenId, left);
      else inWork.delete(tokenId);
    };
  };
}
