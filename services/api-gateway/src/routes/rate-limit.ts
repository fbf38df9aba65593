import { createHash } from 'node:crypto';
import { UnauthorizedError } from '@floy/domain';
import { HttpError } from '@floy/service-kit/http-errors';
import { ipKeyGenerator } from 'express-rate-limit';
import { LRUCache } from 'lru-cache';
import type { Request } from 'express';

/** How many wrong secrets are looked up, in a minute. */
export interface WrongSecrets {
  /** Of one IPv4 address, or of one IPv6 network of 64 bits, which one machine has to itself. */
  readonly perAddress: number;
  /** Of all together: whoever tries has as many addresses as it takes. */
  readonly together: number;
}

const standard: WrongSecrets = { perAddress: 300, together: 3000 };
const WINDOW_MS = 60_000;
/** How many secrets that were right are remembered, by their hashes. */
const RIGHT_ONES = 10_000;

/** Looks a token or the secret of a session up, unless too many wrong ones were tried. */
export type GuardTokens = <T>(
  request: Pick<Request, 'ip'>,
  secret: string,
  authenticate: (secret: string) => Promise<T>,
) => Promise<T>;

/**
 * Slows down whoever tries secrets. Beyond the limit only those are looked up that were right lately:
 * wrong ones cost nothing, and nobody locks out those who share an address, often that of a proxy.
 * A secret that was right is looked up all the same, so that its end holds at once.
 *
 * Throws HttpError 429 beyond the limit, else what `authenticate` throws.
 */
export function createTokenGuard(limits = standard): GuardTokens {
  const right = new LRUCache<string, true>({ max: RIGHT_ONES });
  const wrong = createCounts(limits);
  /** Secrets not known to be right that are being looked up; each counts as wrong meanwhile. */
  const tried = new Map<string, Promise<unknown>>();

  async function attempt<T>(hash: string, address: string, work: () => Promise<T>): Promise<T> {
    wrong.add(address);
    try {
      const holder = await work();
      right.set(hash, true);
      wrong.take(address);
      return holder;
    } catch (error) {
      // Whether the secret was right could not be told.
      if (!(error instanceof UnauthorizedError)) wrong.take(address);
      throw error;
    }
  }

  return async (request, secret, authenticate) => {
    const hash = createHash('sha256').update(secret).digest('base64');
    // Many requests at once with a secret that is new here are one attempt.
    const before = tried.get(hash);
    if (before) await before.catch(() => undefined);
    if (right.get(hash)) {
      try {
        return await authenticate(secret);
      } catch (error) {
        if (error instanceof UnauthorizedError) right.delete(hash);
        throw error;
      }
    }
    const address = ipKeyGenerator(request.ip ?? '', 64);
    if (wrong.isBeyond(address)) {
      const retry = { 'Retry-After': '60' };
      throw new HttpError(429, 'RATE_LIMITED', 'Too many wrong tokens: wait a minute', retry);
    }
    const looking = attempt(hash, address, () => authenticate(secret));
    tried.set(hash, looking);
    try {
      return await looking;
    } finally {
      if (tried.get(hash) === looking) tried.delete(hash);
    }
  };
}

/** Counts of a minute. No more addresses are kept than wrong secrets are allowed together. */
function createCounts(limits: WrongSecrets) {
  let counts = new Map<string, number>();
  let together = 0;
  let until = 0;

  function change(address: string, by: 1 | -1): void {
    const now = performance.now();
    if (now > until) {
      counts = new Map();
      together = 0;
      until = now + WINDOW_MS;
    }
    const count = (counts.get(address) ?? 0) + by;
    // What was added before the minute began is not there to be taken away.
    if (count < 0) return;
    together += by;
    if (count === 0) counts.delete(address);
    else counts.set(address, count);
  }

  return {
    add: (address: string) => change(address, 1),
    take: (address: string) => change(address, -1),
    isBeyond(address: string): boolean {
      if (performance.now() > until) return false;
      return together >= limits.together || (counts.get(address) ?? 0) >= limits.perAddress;
    },
  };
}
