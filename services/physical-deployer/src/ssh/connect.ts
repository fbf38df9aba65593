import type { HostConnection } from '@floy/contracts';
import { CouldNotTellError, messageOf, VerdictError } from '@floy/domain';
import { createHash } from 'node:crypto';
import { connect as connectSocket } from 'node:net';
import ssh2 from 'ssh2';
import { ALGORITHMS, missingAlgorithm } from './algorithms.js';
import { createLoginKey } from './login-key.js';
import { createSaidBytes, type SaidBytes } from './said-bytes.js';
import { saidText } from './said-text.js';

/** Says whether this is the host it should be: throws to refuse, before anything is authenticated. */
export type VerifyHostKey = (fingerprint: string) => Promise<void>;

export interface ConnectedHost {
  readonly client: ssh2.Client;
  /** Of the host key, `SHA256:…`. */
  readonly fingerprint: string;
  /** What the host says from the beginning on. */
  readonly said: SaidBytes;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A dead connection is found out after three unanswered questions: 12 s. */
const KEEPALIVE_MS = 4000;
const KEEPALIVE_MISSES = 2;

/** The fingerprint of a host key as OpenSSH prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/**
 * Connects and authenticates. A refused host key is the error that `verifyHostKey` threw.
 *
 * @throws VerdictError when the key is unusable, the host does not accept it, says too much, or has no
 *   algorithm that Floy accepts
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
  const login = createLoginKey(key);
  const method: ssh2.PublicKeyAuthMethod = { type: 'publickey', username: user, key: login.key };
  signal?.throwIfAborted();
  const client = new ssh2.Client();
  let fingerprint = '';
  let refusal: Error | undefined;
  let aborted: (() => void) | undefined;
  // Node leaves Nagle's algorithm on, which costs 40 ms for every round trip of SSH.
  const socket = connectSocket({ host, port, noDelay: true });
  const said = createSaidBytes(socket);
  try {
    await new Promise<void>((resolve, reject) => {
      aborted = () => reject(asError(signal?.reason));
      signal?.addEventListener('abort', aborted);
      client.once('ready', resolve);
      // A host can be the cause of several errors at once, and one that nobody hears ends the process.
      client.on('error', (error: Error & { level?: string }) => {
        const missing = missingAlgorithm(error.message);
        if (refusal !== undefined) reject(refusal);
        else if (missing !== undefined) reject(new VerdictError(`${where} ${missing}`));
        else if (error.level === 'client-authentication') {
          const refused = login.refusal() ?? 'does not accept the key of ssh_key';
          reject(new VerdictError(`${where} ${refused}`));
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
        algorithms: ALGORITHMS,
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
      said.limitHandshake((reason) => {
        reject(new VerdictError(`${where} was left, as it ${reason}`));
        client.destroy();
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
  return { client, fingerprint, said };
}

function unreachable(where: string, reason: string): CouldNotTellError {
  return new CouldNotTellError(`Could not connect to ${where}: ${saidText(reason)}`);
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new CouldNotTellError(messageOf(reason));
}
