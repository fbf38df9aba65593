import type { HostConnection } from '@floy/contracts';
import { CouldNotTellError, messageOf, VerdictError } from '@floy/domain';
import type { Duplex } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import { connectHost, type VerifyHostKey } from './connect.js';
import { openChannel } from './open-channel.js';
import {
  createRemoteShell,
  type RemoteShell,
  type RunOptions,
  type RunResult,
} from './remote-shell.js';
import { saidText } from './said-text.js';

/** A connection to one host. */
export interface SshClient {
  readonly fingerprint: string;
  readonly closed: boolean;
  /** Aborts when the connection has ended, with the reason. */
  readonly ended: AbortSignal;
  /**
   * Carries out a POSIX shell script.
   *
   * @throws CouldNotTellError when its end was not seen
   * @throws VerdictError naming the host when it says more than the script may
   */
  run(script: string, options?: RunOptions): Promise<RunResult>;
  /** A stream to where the host itself can connect. */
  dial(host: string, port: number, signal?: AbortSignal): Promise<Duplex>;
  close(): void;
}

/** How long a script waits for a session where the host allows no further one. */
const SESSION_WAIT_MS = 5000;
/** sshd may count a session for a moment after it has told its end. */
const LAG_MS = 500;

/** Connects to a host, after its key was verified. See `connectHost` for the errors. */
export async function connectSsh(
  connection: HostConnection,
  verifyHostKey: VerifyHostKey,
  signal?: AbortSignal,
): Promise<SshClient> {
  const connected = await connectHost(connection, verifyHostKey, signal);
  const { client, fingerprint, ended } = connected;
  const where = `${connection.user}@${connection.host}:${connection.port}`;
  const shells = new Set<RemoteShell>();
  const taken = new Set<RemoteShell>();
  // Sessions that the host has to count: open, being opened or not fully closed.
  let channels = 0;
  let lastClosed = Number.NEGATIVE_INFINITY;
  const waiting: (() => void)[] = [];

  const changed = (): void => {
    for (const shell of shells) if (shell.state === 'closed') shells.delete(shell);
    for (const next of waiting.splice(0)) next();
  };
  const whyClosed = (cause?: unknown): Error =>
    ended.reason instanceof VerdictError
      ? ended.reason
      : new CouldNotTellError(messageOf(ended.reason), {}, { cause });
  ended.addEventListener('abort', () => {
    for (const shell of shells) shell.close();
    changed();
  });

  const takeIdle = (): RemoteShell | undefined => {
    for (const shell of shells) {
      if (shell.state !== 'idle' || taken.has(shell)) continue;
      taken.add(shell);
      return shell;
    }
    return undefined;
  };
  const open = async (signal: AbortSignal | undefined): Promise<void> => {
    channels += 1;
    try {
      const channel = await openChannel<ClientChannel>(
        (opened) => client.exec('exec /bin/sh', opened),
        signal,
      );
      connected.contain(channel);
      channel.once('close', () => {
        channels -= 1;
        lastClosed = performance.now();
        changed();
      });
      shells.add(createRemoteShell(channel, changed, connected.leave));
    } catch (error) {
      channels -= 1;
      throw error;
    }
  };

  /**
   * A host may allow one session per connection (`MaxSessions 1`): where no further one can be
   * opened, the script waits for one that is in use or not quite closed yet.
   */
  const shellFor = async (signal: AbortSignal | undefined): Promise<RemoteShell> => {
    const deadline = performance.now() + SESSION_WAIT_MS;
    for (;;) {
      signal?.throwIfAborted();
      if (ended.aborted) throw whyClosed();
      const before = takeIdle();
      if (before !== undefined) return before;
      const problem = await open(signal).then(
        () => undefined,
        (error: unknown) => saidText(messageOf(error)),
      );
      signal?.throwIfAborted();
      if (ended.reason instanceof VerdictError) throw ended.reason;
      const after = takeIdle();
      if (after !== undefined) return after;
      const now = performance.now();
      const counted = channels > 0 || now - lastClosed < LAG_MS;
      if (problem !== undefined && (!counted || now > deadline)) {
        throw ended.aborted
          ? whyClosed()
          : new CouldNotTellError(`${where} opened no session: ${problem}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => wake(), channels > 0 ? SESSION_WAIT_MS : LAG_MS / 20);
        const wake = (): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        waiting.push(wake);
        signal?.addEventListener('abort', wake);
      });
    }
  };

  return {
    fingerprint,
    ended,
    get closed() {
      return ended.aborted;
    },
    async run(script, options = {}) {
      const shell = await shellFor(options.signal);
      try {
        return await shell.run(script, options);
      } catch (error) {
        // The connection's own reason says more than that of one of its channels.
        if (ended.aborted && error instanceof CouldNotTellError) throw whyClosed(error);
        throw error;
      } finally {
        taken.delete(shell);
        changed();
      }
    },
    async dial(host, port, signal) {
      if (ended.aborted) throw whyClosed();
      const channel = await openChannel<ClientChannel>(
        (opened) => client.forwardOut('127.0.0.1', 0, host, port, opened),
        signal,
      );
      connected.contain(channel);
      return channel;
    },
    close: connected.close,
  };
}
