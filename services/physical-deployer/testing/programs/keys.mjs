import ssh2 from 'ssh2';

/** A private key that ssh2 can read: of a thousand that it makes, it cannot read some three itself. */
export function makeKey() {
  for (;;) {
    const { private: key } = ssh2.utils.generateKeyPairSync('ed25519');
    if (!(ssh2.utils.parseKey(key) instanceof Error)) return key;
  }
}
