import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An ed25519 key pair in OpenSSH format, kept in `file` and `file`.pub. */
export interface SshKey {
  readonly file: string;
  /** The private key's text. */
  readonly privateKey: string;
  /** One line as in `authorized_keys`. */
  readonly publicKey: string;
  /** `SHA256:…` as `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
}

/** Makes a key pair without a passphrase. */
export async function makeSshKey(keygen: string, file: string): Promise<SshKey> {
  await run(keygen, ['-q', '-t', 'ed25519', '-N', '', '-C', 'floy', '-f', file], { env: {} });
  const privateKey = await readFile(file, 'utf8');
  const publicKey = (await readFile(`${file}.pub`, 'utf8')).trim();
  const blob = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
  const digest = createHash('sha256').update(blob).digest('base64').replaceAll('=', '');
  return { file, privateKey, publicKey, fingerprint: `SHA256:${digest}` };
}
