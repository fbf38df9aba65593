import { createServer } from 'node:net';
import ssh2 from 'ssh2';
import { makeKey } from './keys.mjs';
import { playShell } from './played-shell.mjs';
import { numbersOf } from './seeds.mjs';

/** A server on which every connection goes wrong in another way. Word: the first seed. Says its port. */
const key = makeKey();
const server = new ssh2.Server({ hostKeys: [key] }, (connection) => {
  connection.on('error', () => undefined);
  connection.on('authentication', (attempt) => attempt.accept());
  connection.on('session', (accept) => {
    accept().on('exec', (acceptExec) => playShell(acceptExec()));
  });
  const spoil = spoiling.shift();
  if (spoil === undefined) return;
  spoilPackets(connection._protocol, spoil);
  if (spoil() < 0.2) spoilChannels(connection._protocol, spoil);
});
/** What is to become of the packets of a connection that is just being made. */
const spoiling = [];
let seed = Number(process.argv[2]);

// What its own library throws at spoiled conversations is no part of the test.
process.on('uncaughtException', () => undefined);
process.on('unhandledRejection', () => undefined);

const listener = createServer((socket) => {
  socket.on('error', () => undefined);
  socket.setNoDelay(true);
  const next = numbersOf((seed += 1));
  const way = Math.floor(next() * 8);
  if (way === 0) return babble(socket, next);
  if (way <= 3) cut(socket, next);
  if (way >= 3) spoiling.push(next);
  server.injectSocket(socket);
  spoiling.length = 0;
});
listener.listen(0, '127.0.0.1', () => process.stdout.write(`${listener.address().port}\n`));

/** No SSH, or only its first line. */
function babble(socket, next) {
  const lines = ['', 'SSH-2.0-x\r\n', 'SSH-1.0-x\r\n', `${'x'.repeat(70_000)}\n`, 'SSH-2.0-x'];
  socket.write(lines[Math.floor(next() * lines.length)]);
  const noise = Buffer.from(Array.from({ length: 300 * next() }, () => 256 * next()));
  setTimeout(() => (next() < 0.5 ? socket.end(noise) : socket.write(noise)), 20 * next());
}

/** Ends, is silent or resets after so many bytes. */
function cut(socket, next) {
  let left = Math.floor(5000 * next() * next());
  const how = Math.floor(3 * next());
  const write = socket.write.bind(socket);
  socket.write = (chunk, ...rest) => {
    if (left < 0) return true;
    if (chunk.length <= left) {
      left -= chunk.length;
      return write(chunk, ...rest);
    }
    write(chunk.subarray(0, left));
    left = -1;
    if (how === 0) socket.end();
    if (how === 1) socket.resetAndDestroy();
    return true;
  };
}

/** Changes what is in packets before they are encrypted, so that the client has to look into them. */
function spoilPackets(protocol, next) {
  const from = Math.floor(next() * 14);
  const often = 0.2 + 0.8 * next();
  let packets = 0;
  const wrapped = new WeakSet();
  let cipher = protocol._cipher;
  const wrap = (each) => {
    if (each === undefined || wrapped.has(each)) return each;
    wrapped.add(each);
    const encrypt = each.encrypt.bind(each);
    each.encrypt = (packet) => {
      packets += 1;
      if (packets > from && next() < often) spoilPacket(packet, next);
      return encrypt(packet);
    };
    return each;
  };
  Object.defineProperty(protocol, '_cipher', {
    get: () => cipher,
    set(to) {
      cipher = wrap(to);
    },
  });
  wrap(cipher);
}

/** Takes nothing, next to nothing or more than there is at once. */
function spoilChannels(protocol, next) {
  const sizes = [0, 1, 2 ** 15, 2 ** 32 - 1];
  const confirm = protocol.channelOpenConfirm.bind(protocol);
  const size = () => sizes[Math.floor(sizes.length * next())];
  protocol.channelOpenConfirm = (remote, local) => confirm(remote, local, size(), size());
}

function spoilPacket(packet, next) {
  const payload = packet.length - packet[4] - 5;
  const at = (share) => 5 + Math.floor(share * Math.max(1, payload));
  const ways = [
    () => (packet[at(next())] = 256 * next()),
    () => packet.fill(0xff, at(next())),
    () => packet.fill(0, at(next())),
    // Another kind of message with the same contents.
    () => (packet[5] = Math.floor(100 * next())),
    // A padding that is longer than the packet.
    () => (packet[4] = 255),
    () => packet.writeUInt32BE(2 ** 32 * next(), Math.min(at(next()), packet.length - 4)),
  ];
  ways[Math.floor(next() * ways.length)]();
}
