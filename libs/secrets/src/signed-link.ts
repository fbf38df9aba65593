import { timingSafeEqual } from 'node:crypto';
import type { Sealer } from './sealing.js';

/** The right to fetch one thing until a time, for whoever has it. It says nothing by itself. */
export interface SignedLink {
  /** Seconds since 1970. */
  readonly expires: number;
  readonly signature: string;
}

/** Signs the right to fetch `subject` (a path, a digest) for so many seconds from now. */
export function signLink(sealer: Sealer, subject: string, seconds: number): SignedLink {
  const expires = Math.floor(Date.now() / 1000) + seconds;
  return { expires, signature: signatureOf(sealer, subject, expires) };
}

/** Whether a link was signed here for just this subject and has not expired. */
export function isSignedLink(sealer: Sealer, subject: string, link: SignedLink): boolean {
  const expected = Buffer.from(signatureOf(sealer, subject, link.expires));
  const given = Buffer.from(link.signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return false;
  return link.expires * 1000 > Date.now();
}

function signatureOf(sealer: Sealer, subject: string, expires: number): string {
  return sealer.fingerprint(`${subject} until ${expires}`, 'signed links');
}
