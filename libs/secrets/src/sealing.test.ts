import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { createSealer, parseEncryptionKeys, SealError } from './sealing.js';

const key = () => new Uint8Array(randomBytes(32));

describe('sealing', () => {
  it('opens what it sealed, whatever it is', () => {
    const sealer = createSealer([key()]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.string(), (bytes, aad) => {
        const opened = sealer.open(sealer.seal(Buffer.from(bytes), aad), aad);
        expect(opened.equals(Buffer.from(bytes))).toBe(true);
      }),
    );
    expect(sealer.open(sealer.seal('密码 pässword', 'a'), 'a').toString('utf8')).toBe(
      '密码 pässword',
    );
  });

  it('never makes the same blob twice, nor one that shows the value', () => {
    const sealer = createSealer([key()]);
    const value = 'correct horse battery staple';
    const blobs = Array.from({ length: 50 }, () => sealer.seal(value, 'a').toString('latin1'));
    expect(new Set(blobs).size).toBe(blobs.length);
    expect(blobs.some((blob) => blob.includes('horse'))).toBe(false);
  });

  it('refuses every flipped bit', () => {
    const sealer = createSealer([key()]);
    const blob = sealer.seal('secret', 'place');
    for (let bit = 0; bit < blob.length * 8; bit += 1) {
      const changed = Buffer.from(blob);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => sealer.open(changed, 'place')).toThrow(SealError);
    }
  });

  it('refuses a cut or extended blob', () => {
    const sealer = createSealer([key()]);
    const blob = sealer.seal('secret', 'place');
    for (let length = 0; length < blob.length; length += 1) {
      expect(() => sealer.open(blob.subarray(0, length), 'place')).toThrow(SealError);
    }
    expect(() => sealer.open(Buffer.concat([blob, Buffer.from([0])]), 'place')).toThrow(SealError);
  });

  it('refuses a blob moved to another place', () => {
    const sealer = createSealer([key()]);
    fc.assert(
      fc.property(fc.string(), fc.string(), (here, there) => {
        fc.pre(!Buffer.from(here).equals(Buffer.from(there)));
        expect(() => sealer.open(sealer.seal('secret', here), there)).toThrow(SealError);
      }),
    );
  });

  it('rotates: a new first key seals, the old one still opens until it is removed', () => {
    const [older, newer] = [key(), key()];
    const before = createSealer([older]).seal('secret', 'a');
    const rotating = createSealer([newer, older]);
    expect(rotating.open(before, 'a').toString()).toBe('secret');
    expect(rotating.isOutdated(before)).toBe(true);
    const after = rotating.seal('secret', 'a');
    expect(rotating.isOutdated(after)).toBe(false);
    const rotated = createSealer([newer]);
    expect(rotated.open(after, 'a').toString()).toBe('secret');
    expect(() => rotated.open(before, 'a')).toThrow(/encryption key [0-9a-f]{16}.*not known/);
  });

  it('refuses to work without keys or with keys of another length', () => {
    expect(() => createSealer([])).toThrow(/at least one/);
    expect(() => createSealer([new Uint8Array(16)])).toThrow(/32 bytes, this one 16/);
  });
});

describe('parsing encryption keys', () => {
  it('reads several, separated by anything sensible, padded or not', () => {
    const keys = [key(), key(), key()];
    const words = keys.map((one) => Buffer.from(one).toString('base64'));
    for (const separator of [' ', '\n', ',', ', ', '\r\n\t']) {
      expect(parseEncryptionKeys(`\n${words.join(separator)}\n`)).toEqual(keys);
    }
    expect(parseEncryptionKeys(words[0]?.replace('=', '') ?? '')).toEqual([keys[0]]);
    expect(parseEncryptionKeys(Buffer.from(keys[1] ?? []).toString('base64url'))).toEqual([
      keys[1],
    ]);
  });

  it('says what is wrong and shows none of it', () => {
    const good = Buffer.from(key()).toString('base64');
    const short = Buffer.alloc(16, 7).toString('base64');
    expect(() => parseEncryptionKeys(' \n')).toThrow(/no encryption key/);
    expect(() => parseEncryptionKeys(short)).toThrow('the encryption key decodes to 16 bytes');
    expect(() => parseEncryptionKeys(`${good} ${short}`)).toThrow('encryption key 2 decodes to 16');
    expect(() => parseEncryptionKeys('pass"word')).toThrow(
      new SealError('the encryption key is not base64'),
    );
  });
});
