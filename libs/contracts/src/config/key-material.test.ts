import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { decodePrivateKey, privateKeyProblem } from './key-material.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const pem = (passphrase?: string) =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    ...(passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }),
  }) as string;

describe('an ssh_key', () => {
  it('is base64 of a private key, or the key itself', () => {
    const key = pem();
    expect(decodePrivateKey(base64(key))).toBe(key);
    expect(decodePrivateKey(key)).toBe(key);
    expect(privateKeyProblem(base64(key))).toBeUndefined();
  });
  it('that cannot be decoded is no problem yet', () => {
    for (const value of ['base64_encoded_ssh_key', '!', base64('hello'), base64('\u0000\u0001')]) {
      expect(decodePrivateKey(value)).toBeUndefined();
      expect(privateKeyProblem(value)).toBeUndefined();
    }
  });
  it('with a passphrase or a second key is refused', () => {
    expect(privateKeyProblem(base64(pem('secret')))).toMatch(/passphrase/);
    expect(privateKeyProblem(base64(pem() + pem()))).toMatch(/more than one/);
  });
});
