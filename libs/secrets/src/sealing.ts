import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

/**
 * Sealing at rest: AES-256-GCM under a key of its own for every value.
 *
 * The value's key and nonce are derived (HKDF-SHA256) from one of Floy's encryption keys and 32
 * random bytes that stand in the blob. A key stored wrapped beside the value would do the same with
 * one more ciphertext and with a limit on how often the wrapping key may meet random 96 bit nonces;
 * derived, no nonce is ever used twice and there is no count to keep.
 *
 * Blob: version (1) · id of the encryption key (8) · salt (32) · ciphertext · tag (16).
 * Everything before the ciphertext is authenticated together with the caller's `aad`.
 */
const VERSION = 1;
const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const SALT_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES + SALT_BYTES;
const CIPHER = 'aes-256-gcm';

/** A sealed value could not be opened, or an encryption key is unusable. Holds nothing secret. */
export class SealError extends Error {
  override readonly name = 'SealError';
}

export interface Sealer {
  /**
   * Seals a value under the first key. `aad` names the place it belongs to (table, row, column):
   * a blob that was moved to another place does not open there.
   */
  seal(plaintext: string | Buffer, aad: string): Buffer;
  /** Opens a blob made by any of the keys. Throws `SealError` on anything but the exact original. */
  open(blob: Uint8Array, aad: string): Buffer;
  /** Whether the blob was sealed by an older key, so that sealing it again finishes a rotation. */
  isOutdated(blob: Uint8Array): boolean;
  /**
   * A keyed hash (hex): equal values can be told without keeping them, and without the key nobody
   * can try values out. Another first key gives other hashes. `purpose` keeps uses apart.
   */
  fingerprint(text: string, purpose: string): string;
  /** Whether any of the keys makes this fingerprint of a text. */
  isFingerprint(fingerprint: string, text: string, purpose: string): boolean;
}

/** The first key seals, all of them open. Throws `SealError` without keys or on a wrong length. */
export function createSealer(keys: readonly Uint8Array[]): Sealer {
  const byId = new Map<string, Buffer>();
  for (const key of keys) {
    if (key.length !== KEY_BYTES) {
      throw new SealError(`an encryption key has ${KEY_BYTES} bytes, this one ${key.length}`);
    }
    byId.set(keyIdOf(key).toString('hex'), Buffer.from(key));
  }
  const [first] = keys;
  if (!first) throw new SealError('at least one encryption key is needed');
  const sealingKey = Buffer.from(first);
  const sealingId = keyIdOf(sealingKey);

  return {
    seal(plaintext, aad) {
      const header = Buffer.concat([Buffer.from([VERSION]), sealingId, randomBytes(SALT_BYTES)]);
      const { key, nonce } = derive(sealingKey, header);
      const cipher = createCipheriv(CIPHER, key, nonce);
      cipher.setAAD(authenticated(header, aad));
      const text = typeof plaintext === 'string' ? Buffer.from(plaintext, 'utf8') : plaintext;
      return Buffer.concat([header, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
    },

    open(blob, aad) {
      const { header, id, ciphertext, tag } = parse(blob);
      const encryptionKey = byId.get(id);
      if (!encryptionKey) {
        throw new SealError(`the value was sealed with encryption key ${id}, which is not known`);
      }
      const { key, nonce } = derive(encryptionKey, header);
      const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(authenticated(header, aad));
      decipher.setAuthTag(tag);
      try {
        return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
      } catch {
        throw new SealError('the sealed value was changed, or does not belong to this place');
      }
    },

    isOutdated: (blob) => parse(blob).id !== sealingId.toString('hex'),

    fingerprint: (text, purpose) => fingerprintBy(sealingKey, text, purpose),

    isFingerprint(fingerprint, text, purpose) {
      const given = Buffer.from(fingerprint);
      return [...byId.values()].some((key) => {
        const expected = Buffer.from(fingerprintBy(key, text, purpose));
        return given.length === expected.length && timingSafeEqual(given, expected);
      });
    },
  };
}

/**
 * Reads `FLOY_ENCRYPTION_KEY`: keys of 32 bytes in base64, separated by whitespace or commas, the
 * one that seals first, old ones after it. Throws `SealError` naming the key by its place alone.
 */
export function parseEncryptionKeys(text: string): Uint8Array[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== '');
  if (words.length === 0) {
    throw new SealError('no encryption key given: expected 32 bytes in base64');
  }
  return words.map((word, index) => {
    const place = words.length === 1 ? 'the encryption key' : `encryption key ${index + 1}`;
    const key = Buffer.from(word, 'base64');
    // Buffer skips what is not base64; writing it back shows whether anything was skipped.
    const plain = word.replaceAll('=', '').replaceAll('-', '+').replaceAll('_', '/');
    if (key.toString('base64').replaceAll('=', '') !== plain) {
      throw new SealError(`${place} is not base64`);
    }
    if (key.length !== KEY_BYTES) {
      throw new SealError(`${place} decodes to ${key.length} bytes, expected ${KEY_BYTES}`);
    }
    return new Uint8Array(key);
  });
}

function fingerprintBy(encryptionKey: Buffer, text: string, purpose: string): string {
  const key = hkdfSync('sha256', encryptionKey, '', `fingerprint ${purpose}`, KEY_BYTES);
  return createHmac('sha256', Buffer.from(key)).update(text).digest('hex');
}

function keyIdOf(key: Uint8Array): Buffer {
  return createHash('sha256').update(key).digest().subarray(0, KEY_ID_BYTES);
}

function derive(encryptionKey: Buffer, header: Buffer): { key: Buffer; nonce: Buffer } {
  const salt = header.subarray(HEADER_BYTES - SALT_BYTES);
  const bytes = Buffer.from(
    hkdfSync('sha256', encryptionKey, salt, 'floy sealed value', KEY_BYTES + NONCE_BYTES),
  );
  return { key: bytes.subarray(0, KEY_BYTES), nonce: bytes.subarray(KEY_BYTES) };
}

function authenticated(header: Buffer, aad: string): Buffer {
  return Buffer.concat([header, Buffer.from(aad, 'utf8')]);
}

function parse(blob: Uint8Array) {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  if (bytes.length < HEADER_BYTES + TAG_BYTES) throw new SealError('the sealed value is cut off');
  if (bytes[0] !== VERSION) {
    throw new SealError(`the sealed value has format ${bytes[0]}, this Floy reads ${VERSION}`);
  }
  return {
    header: bytes.subarray(0, HEADER_BYTES),
    id: bytes.subarray(1, 1 + KEY_ID_BYTES).toString('hex'),
    ciphertext: bytes.subarray(HEADER_BYTES, bytes.length - TAG_BYTES),
    tag: bytes.subarray(bytes.length - TAG_BYTES),
  };
}
