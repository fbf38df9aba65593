import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { messageOf } from '@floy/domain';
import type { Client, ClientChannel } from 'ssh2';
import { heldPackets } from './held-packets.js';

type OnThrow = (error: Error) => void;

/**
 * Whatever a listener of this emitter throws goes to `onThrow`. ssh2 works inside of the events of
 * its socket and its channels, so an error that it throws there (and it throws at what a hostile or
 * a dying host sends) would end the process, and with it the work on every other host.
 */
export function containListeners(emitter: EventEmitter, onThrow: OnThrow): void {
  const emit = emitter.emit.bind(emitter);
  emitter.emit = (event, ...values: unknown[]) => {
    try {
      return emit(event, ...values);
    } catch (error) {
      onThrow(asError(error));
      return true;
    }
  };
}

/** What waits for the network at most before more is taken from an upload. */
const UNSENT_BYTES = 1024 * 1024;
/** Four times what a host was allowed to send before it was read. */
const UNREAD_BYTES = 8 * 1024 * 1024;

/** What ssh2 throws on a channel, and what a host does on one that it may not, goes to `onThrow`. */
export function containChannel(
  channel: ClientChannel,
  { socket, client }: { readonly socket: Socket; readonly client: Client },
  onThrow: OnThrow,
): void {
  for (const stream of [channel, channel.stderr]) {
    containListeners(stream, onThrow);
    contain(stream, '_read', onThrow);
    const push = stream.push.bind(stream);
    stream.push = (chunk, encoding) => {
      if (stream.readableLength <= UNREAD_BYTES) return push(chunk, encoding);
      onThrow(new Error('it sends more than it was allowed to'));
      return false;
    };
  }
  contain(channel, 'close', onThrow);
  const write = channel._write.bind(channel);
  // ssh2 puts off the writer by the window that the host grants, which may be without an end.
  channel._write = (chunk, encoding, done) => {
    const written: typeof done = (error) => {
      if (socket.writableLength > UNSENT_BYTES) socket.once('drain', () => done(error));
      // New keys are only there once the host has said something more.
      else if (heldPackets(client) > 0) socket.once('data', () => setImmediate(written, error));
      else done(error);
    };
    attempt(() => write(chunk, encoding, written), onThrow);
  };
}

/**
 * ssh2 writes each packet in three pieces, of which each would be a packet on the network and wake
 * the host: held back until all of this turn is written.
 */
export function writeTogether(socket: Socket): void {
  const write = socket.write.bind(socket) as (...words: unknown[]) => boolean;
  let held = false;
  socket.write = (...words: unknown[]): boolean => {
    if (!held) {
      held = true;
      socket.cork();
      process.nextTick(() => {
        held = false;
        socket.uncork();
      });
    }
    return write(...words);
  };
}

/** As an Error, whatever was thrown. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(messageOf(thrown));
}

function contain<N extends string>(
  on: { [name in N]: (...words: never[]) => unknown },
  name: N,
  onThrow: OnThrow,
): void {
  const act = on[name].bind(on) as (...words: unknown[]) => unknown;
  on[name] = (...words: unknown[]) => attempt(() => act(...words), onThrow);
}

function attempt(act: () => unknown, onThrow: OnThrow): unknown {
  try {
    return act();
  } catch (error) {
    onThrow(asError(error));
    return undefined;
  }
}
