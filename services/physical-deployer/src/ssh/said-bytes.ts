import type { Socket } from 'node:net';
import type { Client, ClientChannel } from 'ssh2';
import { heldPackets } from './held-packets.js';

/** What a connection's host has said that no script was waiting for. */
export interface SaidBytes {
  /**
   * Counts what arrives in a channel as asked for. Answers why the channel cannot be used, if so.
   * Call it before anything is written to the channel.
   */
  hear(channel: ClientChannel): string | undefined;
  /** Begins to count. `onExcess` is told when the host says too much before it is let in. */
  limitHandshake(onExcess: (reason: string) => void): void;
  /** The host is let in: from now on it may say more, and this `onExcess` is told. */
  limitConnection(onExcess: (reason: string) => void): void;
}

/** Banner, host key and the exchange of keys of any host fit several times over. */
const HANDSHAKE_BYTES = 64 * 1024;
/** Beside the answers to scripts: new keys once in a while, requests that Floy declines. */
const CONNECTION_BYTES = 1024 * 1024;
/** Each side may ask every second whether the other is still there. */
const BYTES_PER_SECOND = 1024;
/** What the protocol puts around a piece of output, be that a single byte. */
const BYTES_PER_CHUNK = 128;
/** A host tells from time to time that it takes more of what it is sent. */
const WRITTEN_PER_BYTE = 16;
/** Four times what waits for the network before an upload pauses. */
const UNSENT_BYTES = 4 * 1024 * 1024;
/** And so many pieces: an answer of 30 bytes that waits costs a hundred times as much memory. */
const UNSENT_PIECES = 10_000;
/** So many packets may wait for new keys; an upload pauses at the first. */
const HELD_PACKETS = 1000;
/** RFC 4253 has everybody take packets of 32 KiB; one that takes none is written to for ever. */
const SMALLEST_PACKET_BYTES = 1024;

/**
 * Counts all that a host sends, since the protocol has many ways to be answered or remembered:
 * greetings, banners, key requests, requests to channels and to the connection. Whatever is not the
 * output of a script has to fit into one budget. And a host that asks has to take the answers: those
 * that it leaves unread are kept in memory, as are those that wait for new keys.
 */
export function createSaidBytes(socket: Socket, client: Client): SaidBytes {
  const since = performance.now();
  let excess = (_reason: string): void => undefined;
  let budget = HANDSHAKE_BYTES;
  let heard = 0;
  let asked = 0;
  const leave = (reason: string): void => {
    socket.off('data', count);
    excess(reason);
  };
  const isLeftUnread = (): boolean =>
    socket.writableLength > UNSENT_BYTES ||
    unsentPieces(socket) > UNSENT_PIECES ||
    heldPackets(client) > HELD_PACKETS;
  const count = (chunk: Buffer): void => {
    const seconds = (performance.now() - since) / 1000;
    const more = seconds * BYTES_PER_SECOND + socket.bytesWritten / WRITTEN_PER_BYTE;
    // Nobody has read this chunk yet: what of it was asked for is known with the next one.
    if (heard - asked > budget + more) {
      leave(`sent more than ${budget} bytes that nothing asked for`);
    } else if (isLeftUnread()) leave('does not take the answers that it asks for');
    heard += chunk.length;
  };
  return {
    hear(channel) {
      for (const stream of [channel, channel.stderr]) {
        const push = stream.push.bind(stream);
        stream.push = (chunk: Buffer | null) => {
          // An empty one is no output: it would pay for others, without an end.
          if (chunk !== null && chunk.length > 0) asked += chunk.length + BYTES_PER_CHUNK;
          return push(chunk);
        };
      }
      const { outgoing } = channel as unknown as { outgoing: { packetSize: number } };
      if (outgoing.packetSize >= SMALLEST_PACKET_BYTES) return undefined;
      return `takes packets of ${outgoing.packetSize} bytes only`;
    },
    limitHandshake(onExcess) {
      excess = onExcess;
      socket.on('data', count);
    },
    limitConnection(onExcess) {
      excess = onExcess;
      budget = CONNECTION_BYTES;
    },
  };
}

/** How many writes wait for the network; Node names this by a private name only. */
function unsentPieces(socket: Socket): number {
  const { _writableState: state } = socket as {
    _writableState?: { bufferedRequestCount?: number };
  };
  return state?.bufferedRequestCount ?? 0;
}
