import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { createSealer } from './sealing.js';
import { isSignedLink, signLink } from './signed-link.js';

const sealer = createSealer([randomBytes(32)]);

describe('a signed link', () => {
  const link = signLink(sealer, 'one', 60);

  it('is good for its subject and its time, under its key', () => {
    expect(isSignedLink(sealer, 'one', link)).toBe(true);
    expect(isSignedLink(sealer, 'other', link)).toBe(false);
    expect(isSignedLink(createSealer([randomBytes(32)]), 'one', link)).toBe(false);
    expect(isSignedLink(sealer, 'one', { ...link, expires: link.expires + 1 })).toBe(false);
    expect(isSignedLink(sealer, 'one', { ...link, signature: '' })).toBe(false);
    expect(isSignedLink(sealer, 'one', signLink(sealer, 'one', -1))).toBe(false);
  });
});
