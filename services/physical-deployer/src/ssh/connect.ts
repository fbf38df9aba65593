import type { HostConnection } from '@floy/contracts';
import { CouldNotTellError, messageOf, VerdictError } from '@floy/domain';
import { createHash } from 'node:crypto';
import { connect as connectSocket } from 'node:net';
import ssh2 from 'ssh2';

/** Says whether this is the host it should be: throws to refuse, before anything is authenticated. */
export type VerifyHostKey = (fingerprint: string) => Promise<void>;

export interface ConnectedHost {
  readonly client: ssh2.Client;
  /** Of the host key, `SHA256:…`. */
  readonly fingerprint: string;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A dead connection is found out after three unanswered questions: 12 s. */
const KEEPALIVE_MS = 4000;
const KEEPALIVE_MISSES = 2;

/** The fingerprint of a host key as OpenSSH prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replaceAll('=', '')}`;
}

/**
 * Connects and authenticates. A refused host key is the error that `verifyHostKey` threw.
 *
 * @throws VerdictError when the key is unusable or the host does not accept it
 * @throws CouldNotTellError when the host cannot be reached
 */
export async function connectHost(
  connection: HostConnection,
  verifyHostKey: VerifyHostKey,
  signal?: AbortSignal,
): Promise<ConnectedHost> {
  const { host, port, user, privateKey } = connection;
  const where = `${user}@${host}:${port}`;
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error) {
    throw new VerdictError(`ssh_key is not a private key that can be read: ${key.message}`);
  }
  const method: ssh2.PublicKeyAuthMethod = { type: 'publickey', username: user, key };
  signal?.throwIfAborted();
  const client = new ssh2.Client();
  let fingerprint = '';
  let refusal: Error | undefined;
  let aborted: (() => void) | undefined;
  // Node leaves Nagle's algorithm on, which costs 40 ms for every round trip of SSH.
  const socket = connectSocket({ host, port, noDelay: true });
  try {
    await new Promise<void>((resolve, reject) => {
      aborted = () => reject(asError(signal?.reason));
      signal?.addEventListener('abort', aborted);
      client.once('ready', resolve);
      client.once('error', (error: Error & { level?: string }) => {
        if (refusal !== undefined) reject(refusal);
        else if (error.level === 'client-authentication') {
          reject(new VerdictError(`${where} does not accept the key of ssh_key`));
        } else reject(unreachable(where, error.message));
      });
      client.once('close', () =>
        reject(refusal ?? unreachable(where, 'the connection was closed')),
      );
      client.connect({
        sock: socket,
        username: user,
        readyTimeout: CONNECT_TIMEOUT_MS,
        keepaliveInterval: KEEPALIVE_MS,
        keepaliveCountMax: KEEPALIVE_MISSES,
        authHandler: [method],
        algorithms: {
          cipher: { prepend: ['aes128-gcm@openssh.com'], append: [], remove: [] },
        },
        hostVerifier: (hostKey: Buffer, answer: (accepted: boolean) => void) => {
          fingerprint = fingerprintOf(hostKey);
          verifyHostKey(fingerprint).then(
            () => answer(true),
            (error: unknown) => {
              refusal = asError(error);
              answer(false);
            },
          );
        },
      });
    });
  } catch (error) {
    client.on('error', () => undefined);
    client.destroy();
    socket.destroy();
    throw error;
  } finally {
    if (aborted !== undefined) signal?.removeEventListener('abort', aborted);
  }
  return { client, fingerprint };
}

function unreachable(where: string, reason: string): CouldNotTellError {
  return new CouldNotTellError(`Could not connect to ${where}: ${reason}`);
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new CouldNotTellError(messageOf(reason));
}
