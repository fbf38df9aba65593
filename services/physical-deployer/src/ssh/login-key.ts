import type { ParsedKey } from 'ssh2';

/** One to log in with each of the two kinds of RSA signature, and one more. */
const SIGNATURES = 3;

/**
 * The key with which Floy logs in to one host. It signs a few times only, as a host could ask again
 * and again, and never with SHA-1, which is what ssh2 does for a host that names no better way.
 */
export function createLoginKey(key: ParsedKey): {
  readonly key: ParsedKey;
  /** Why a signature was refused, if one was. */
  refusal(): string | undefined;
} {
  let signed = 0;
  let refusal: string | undefined;
  const sign = key.sign.bind(key);
  key.sign = (data, algorithm) => {
    signed += 1;
    if (signed > SIGNATURES) refusal = `asks for more than ${SIGNATURES} signatures`;
    else if (key.type === 'ssh-rsa' && algorithm !== 'sha256' && algorithm !== 'sha512') {
      refusal = 'takes signatures of RSA keys with SHA-1 only';
    }
    return refusal === undefined ? sign(data, algorithm) : (new Error(refusal) as never);
  };
  return { key, refusal: () => refusal };
}
