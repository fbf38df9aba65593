import { ForbiddenError } from '@floy/domain';
import type { Request } from 'express';

/**
 * Throws ForbiddenError for a request that a page of another origin made a browser send: neither a
 * login nor a logout may be the work of a foreign page. Browsers name the origin of every form, and
 * most say by Sec-Fetch-Site what it is to this one; `null` is the origin of a sandboxed frame, which
 * anybody can make. A request that says neither comes from a program, which holds no cookies of a
 * browser.
 */
export function requireSameOrigin(request: Request): void {
  const site = request.header('Sec-Fetch-Site');
  const origin = request.header('Origin');
  if ((site ?? 'same-origin') === 'same-origin' && isOwn(origin, request.header('Host'))) return;
  throw new ForbiddenError('This form was sent by a page of another origin');
}

function isOwn(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}
