import type { IncomingMessage } from 'node:http';
import { reaches, type Role } from '@floy/contracts';
import type { TokenHolder } from '@floy/database/repositories/tokens';
import { ForbiddenError, UnauthorizedError } from '@floy/domain';
import type { RouteRole } from '@floy/service-kit/http-route';

/** Whoever asks on a route that needs no token. */
export const anyone: TokenHolder = { id: '', owner: '', role: 'viewer' };

/**
 * The token of a request's `Authorization: Bearer …`. Throws UnauthorizedError without one, and where
 * there are several: a proxy may have looked at another one than Floy would.
 */
export function bearerToken(request: Pick<IncomingMessage, 'headersDistinct'>): string {
  const [header = '', ...more] = request.headersDistinct['authorization'] ?? [];
  const match = /^Bearer +([\x21-\x7e]{1,200}) *$/i.exec(header);
  if (match?.[1] !== undefined && more.length === 0) return match[1];
  throw new UnauthorizedError('Send one token: Authorization: Bearer floy_pat_…');
}

/** Throws ForbiddenError when the holder's role does not reach. */
export function requireRole(holder: TokenHolder, needed: Role): void {
  if (reaches(holder.role, needed)) return;
  throw new ForbiddenError(`This needs the role ${needed}; the token has ${holder.role}`);
}

/** Who asks, by token, and whether a route is open to them. */
export async function authorize(
  needed: RouteRole,
  request: Pick<IncomingMessage, 'headersDistinct'>,
  authenticate: (secret: string) => Promise<TokenHolder>,
): Promise<TokenHolder> {
  if (needed === 'anyone') return anyone;
  const holder = await authenticate(bearerToken(request));
  requireRole(holder, needed);
  return holder;
}
