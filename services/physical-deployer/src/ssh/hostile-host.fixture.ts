import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';

/** The protocol of one connection, of which ssh2 shows nothing: a hostile host says what it likes. */
export interface RawProtocol {
  channelOpenConfirm(theirs: number, ours: number, window: number, packetSize: number): void;
  _packetRW: {
    write: { allocStart: number; alloc(size: number): Buffer; finalize(p: Buffer): Buffer };
  };
  _cipher: { encrypt(packet: Buffer): void };
}

/** A key that is shown, by itself first and then with a signature. */
export interface LoginKey {
  readonly algo: string;
  readonly data: Buffer;
  readonly signed: boolean;
}

/** What a hostile host does at each point; it behaves where nothing is said. */
export interface HostileWays {
  /** In place of speaking SSH at all. */
  greet?(socket: Socket): void;
  /** As soon as somebody has connected. */
  connected?(protocol: RawProtocol, connection: Connection): void;
  /** When somebody shows the key to log in with. Answers whether to go on as usual. */
  login?(protocol: RawProtocol, key: LoginKey): boolean;
  /** In place of `/bin/sh`; `nonce` is the one of the first script that came. */
  shell?(channel: ServerChannel, nonce: string, protocol: RawProtocol): void;
}

export interface HostileHost {
  readonly port: number;
  /** How many attempts to log in there were. */
  logins(): number;
  stop(): Promise<void>;
}

/** Starts a server that lets everybody in and then does as told. */
export async function startHostileHost(hostKey: string, ways: HostileWays): Promise<HostileHost> {
  let logins = 0;
  const sockets = new Set<Socket>();
  const ssh = new ssh2.Server({ hostKeys: [hostKey] }, (connection) => {
    const { _protocol: protocol } = connection as unknown as { _protocol: RawProtocol };
    ways.connected?.(protocol, connection);
    connection.on('error', () => undefined);
    connection.on('authentication', (context) => {
      logins += 1;
      if (context.method !== 'publickey') return context.reject(['publickey']);
      const key = { ...context.key, signed: context.signature !== undefined };
      if (ways.login?.(protocol, key) === false) return;
      context.accept();
    });
    connection.on('session', (accept) => {
      accept().on('exec', (acceptExec) => {
        const channel = acceptExec();
        channel.on('error', () => undefined);
        // The channel's own `destroy` only says goodbye: a flood would go on for ever.
        connection.on('close', () => void Duplex.prototype.destroy.call(channel));
        let heard = '';
        const listen = (chunk: Buffer): void => {
          heard += chunk.toString('latin1');
          const nonce = /'([0-9a-f]{32})' "\$\*"/.exec(heard)?.[1];
          if (nonce === undefined) return;
          channel.off('data', listen);
          channel.resume();
          ways.shell?.(channel, nonce, protocol);
        };
        channel.on('data', listen);
      });
    });
  });
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    if (ways.greet) ways.greet(socket);
    else ssh.injectSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    logins: () => logins,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Sends one packet of the protocol as it is. */
export function sendPacket(protocol: RawProtocol, payload: Buffer): void {
  const { write } = protocol._packetRW;
  const at = write.allocStart;
  const packet = write.alloc(payload.length);
  payload.copy(packet, at);
  protocol._cipher.encrypt(write.finalize(packet));
}

/** Writes as long as somebody reads. */
export function writeWithoutEnd(
  stream: Pick<NodeJS.WritableStream, 'write' | 'once'> & { readonly destroyed?: boolean },
  next: () => string,
): void {
  const go = (): void => {
    while (stream.destroyed !== true)
      if (!stream.write(next())) return void stream.once('drain', go);
  };
  go();
}

/** A string of the protocol. */
export function sshString(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
