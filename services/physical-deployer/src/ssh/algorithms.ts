import type { Algorithms } from 'ssh2';

/**
 * What Floy speaks with hosts, best first. Nothing rests on SHA-1 or MD5, no cipher is CBC, and no
 * group comes from the host or is so large that computing in it holds the process up. Nothing is
 * compressed: a host could send little that becomes much. ChaCha20 is left out because of Terrapin,
 * which it is open to with hosts that do not know the strict exchange of keys.
 */
export const ALGORITHMS = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group14-sha256',
    'diffie-hellman-group16-sha512',
  ],
  serverHostKey: [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ],
  cipher: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'aes128-ctr',
    'aes192-ctr',
    'aes256-ctr',
  ],
  hmac: [
    'hmac-sha2-256-etm@openssh.com',
    'hmac-sha2-512-etm@openssh.com',
    'hmac-sha2-256',
    'hmac-sha2-512',
  ],
  compress: ['none'],
} satisfies Algorithms;

/** The end of ssh2's message where nothing fits, and what it is about. */
const NOTHING_FITS = [
  [/matching key exchange algorithm$/, 'method of exchanging keys (KexAlgorithms)', 'kex'],
  [/matching host key format$/, 'host key or signature (HostKeyAlgorithms)', 'serverHostKey'],
  [/matching [CS]->[CS] cipher$/, 'cipher (Ciphers)', 'cipher'],
  [/matching [CS]->[CS] MAC$/, 'MAC (MACs)', 'hmac'],
  [/matching [CS]->[CS] compression$/, 'compression (Compression)', 'compress'],
] as const;

/** Why a host and Floy have no algorithm in common, if a failed handshake was because of that. */
export function missingAlgorithm(problem: string): string | undefined {
  if (!/no matching/i.test(problem)) return undefined;
  const found = NOTHING_FITS.find(([end]) => end.test(problem));
  if (found === undefined) return undefined;
  const [, kind, list] = found;
  return `offers no ${kind} that Floy accepts: it needs one of ${ALGORITHMS[list].join(', ')}`;
}
