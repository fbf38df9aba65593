/** The largest key that is looked at, in bytes. */
const LARGEST = 256 * 1024;

/** The text behind strict base64 (line breaks allowed), or undefined. */
export function decodeBase64(value: string): string | undefined {
  const compact = value.replace(/\s+/g, '');
  if (compact === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) return undefined;
  const bytes = Buffer.from(compact, 'base64');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined;
}

/**
 * The private key behind an `ssh_key`, or undefined when it cannot be decoded: base64 of a private
 * key in OpenSSH or PEM form, or the key itself.
 */
export function decodePrivateKey(value: string): string | undefined {
  const text = value.includes('-----BEGIN ') ? value : decodeBase64(value);
  if (text === undefined) return undefined;
  const key = text.replaceAll('\r\n', '\n').trim();
  const kind = /^-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----\n/.exec(key)?.[1];
  return kind !== undefined && key.endsWith(`\n-----END ${kind}-----`) ? `${key}\n` : undefined;
}

/** How a public key begins in the files of OpenSSH; its base64 follows. */
const kinds = ['ssh-', 'sk-ssh-', 'ecdsa-', 'sk-ecdsa-'];
/** How one begins in PEM, and in the form of the SSH standard. */
const heads = ['', 'RSA ', 'SSH2 '].flatMap((kind) => [
  `-----BEGIN ${kind}PUBLIC KEY`,
  `---- BEGIN ${kind}PUBLIC KEY`,
]);

function isPublicKey(text: string): boolean {
  const key = text.trimStart();
  if (heads.some((head) => key.startsWith(head))) return true;
  return kinds.some((kind) => key.startsWith(kind)) && key.includes(' AAAA');
}

/** Why a private key that decodes is refused, or undefined. One that does not decode is stored. */
export function privateKeyProblem(value: string): string | undefined {
  if (value.length > LARGEST) return `is longer than ${LARGEST} bytes`;
  const key = decodePrivateKey(value);
  if (key === undefined) {
    const isPublic = [value, decodeBase64(value) ?? ''].some(isPublicKey);
    return isPublic ? 'is a public key: the private one beside it is needed' : undefined;
  }
  const ends = key.split('-----BEGIN ').length - 1;
  if (ends !== 1) return 'holds more than one key';
  const locked = /ENCRYPTED/.test(key.slice(0, 200));
  return locked ? 'is protected by a passphrase, which Floy cannot enter' : undefined;
}
