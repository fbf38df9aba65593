import type { HostConnection } from '@floy/contracts';
import { CouldNotTellError, FloyError, messageOf, VerdictError } from '@floy/domain';
import { createHash } from 'node:crypto';
import { connect as connectSocket } from 'node:net';
import ssh2 from 'ssh2';
import { ALGORITHMS, missingAlgorithm } from './algorithms.js';
import { asError, containChannel, containListeners, writeTogether } from './contained.js';
import { createLoginKey } from './login-key.js';
import { createSaidBytes } from './said-bytes.js';
import { saidText } from './said-text.js';

/** Says whether this is the host it should be: throws to refuse, before anything is authenticated. */
export type VerifyHostKey = (fingerprint: string) => Promise<void>;

export interface ConnectedHost {
  readonly client: ssh2.Client;
  /** Of the host key, `SHA256:…`. */
  readonly fingerprint: string;
  /** Aborts when the connection has ended, however it did; its reason says why. */
  readonly ended: AbortSignal;
  /**
   * What ssh2 throws on a channel of this connection ends the connection, and what arrives in it
   * counts as asked for. Call it before anything is written to the channel.
   *
   * @throws Error when the channel cannot be used
   */
  contain(channel: ssh2.ClientChannel): void;
  /** Ends the connection with a verdict on the host, as it does what it may not. */
  leave(reason: string): void;
  /** Says goodbye to the host and closes. */
  close(): void;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** A dead connection is found out after three unanswered questions: 12 s. */
const KEEPALIVE_MS = 4000;
const KEEPALIVE_MISSES = 2;
/** How long the goodbye may take until the socket is closed without it. */
const GOODBYE_MS = 2000;

/** The fingerprint of a host key as OpenSSH prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replaceAll('=', '')}`;
}

/**
 * Connects and authenticates. A refused host key is the error that `verifyHostKey` threw. Nothing
 * that ssh2 throws on the way, or after it, reaches the process: it ends this connection.
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
  const login = createLoginKey(readKey(privateKey));
  const method: ssh2.PublicKeyAuthMethod = { type: 'publickey', username: user, key: login.key };
  signal?.throwIfAborted();
  // Node leaves Nagle's algorithm on, which costs 40 ms for every round trip of SSH.
  const socket = connectSocket({ host, port, noDelay: true });
  const client = new ssh2.Client();
  const said = createSaidBytes(socket, client);
  const end = new AbortController();
  const { signal: ended } = end;

  const fail = (reason: Error): void => {
    if (ended.aborted) return;
    end.abort(reason);
    socket.destroy();
  };
  const leave = (reason: string): void =>
    fail(new VerdictError(`${where} was left, as it ${reason}`));
  let ready = false;
  const broken = (reason: unknown): void => fail(brokenBy(where, ready, reason, login.refusal()));
  // Before ssh2 listens to it. A second error, or one after the end, is nobody's any more.
  writeTogether(socket);
  for (const emitter of [socket, client]) containListeners(emitter, broken);
  client.on('error', broken);
  client.on('close', () => broken(new Error('the connection was closed')));

  let fingerprint: string | undefined;
  const hostVerifier = (hostKey: Buffer, answer: (accepted: boolean) => void): void => {
    const shown = fingerprintOf(hostKey);
    // A host that asks for new keys in the middle shows its own once more.
    if (fingerprint !== undefined) return answer(shown === fingerprint);
    verifyHostKey(shown).then(() => {
      // ssh2 goes on with a connection that is gone, and throws.
      if (ended.aborted) return;
      fingerprint = shown;
      try {
        answer(true);
      } catch (error) {
        broken(error);
      }
    }, broken);
  };
  const aborted = (): void => fail(asError(signal?.reason));
  signal?.addEventListener('abort', aborted);
  try {
    await new Promise<void>((resolve, reject) => {
      ended.addEventListener('abort', () => reject(ended.reason));
      client.once('ready', () => {
        ready = true;
        said.limitConnection(leave);
        resolve();
      });
      client.connect({
        sock: socket,
        username: user,
        readyTimeout: CONNECT_TIMEOUT_MS,
        keepaliveInterval: KEEPALIVE_MS,
        keepaliveCountMax: KEEPALIVE_MISSES,
        authHandler: [method],
        algorithms: ALGORITHMS,
        hostVerifier,
      });
      said.limitHandshake(leave);
    });
  } catch (error) {
    broken(error);
    throw ended.reason;
  } finally {
    signal?.removeEventListener('abort', aborted);
  }
  return {
    client,
    fingerprint: fingerprint ?? '',
    ended,
    contain(channel) {
      const problem = said.hear(channel);
      if (problem !== undefined) {
        leave(problem);
        throw ended.reason;
      }
      containChannel(channel, { socket, client }, broken);
    },
    leave,
    close() {
      if (ended.aborted) return;
      end.abort(new CouldNotTellError(`The connection to ${where} was closed by Floy`));
      client.end();
      // A host that does not close its side, or takes nothing any more, keeps no socket.
      socket.destroySoon();
      setTimeout(() => socket.destroy(), GOODBYE_MS).unref();
    },
  };
}

/** ssh2 skips what it cannot sign with, as if the host had refused it. */
function readKey(privateKey: string): ssh2.ParsedKey {
  const key = parseKey(privateKey);
  if (key instanceof Error) {
    throw new VerdictError(`ssh_key is not a private key that can be read: ${key.message}`);
  }
  if (!key.isPrivateKey()) throw new VerdictError('ssh_key is a public key and not a private one');
  return key;
}

/** What the end of a connection means to whoever waits for it. */
function brokenBy(
  where: string,
  ready: boolean,
  reason: unknown,
  signatureRefusal: string | undefined,
): Error {
  if (reason instanceof FloyError) return reason;
  const said = messageOf(reason);
  if (ready) return new CouldNotTellError(`The connection to ${where} broke: ${saidText(said)}`);
  if ((reason as { level?: unknown } | null)?.level === 'client-authentication') {
    return new VerdictError(`${where} ${signatureRefusal ?? 'does not accept the key of ssh_key'}`);
  }
  const missing = missingAlgorithm(said);
  if (missing !== undefined) return new VerdictError(`${where} ${missing}`);
  return new CouldNotTellError(`Could not connect to ${where}: ${saidText(said)}`);
}

function parseKey(privateKey: string): ssh2.ParsedKey | Error {
  try {
    const parsed: unknown = ssh2.utils.parseKey(privateKey);
    // A file of OpenSSH's could hold several; its types know of one.
    return (Array.isArray(parsed) ? parsed[0] : parsed) as ssh2.ParsedKey | Error;
  } catch (error) {
    return asError(error);
  }
}
