import { connect } from 'node:net';

/** What Redis answered to one command: its text, the texts of a list, or nothing. */
export type RedisReply = string | null | readonly RedisReply[];

/**
 * Sends commands to a Redis over a connection of their own, for looking after a server: queues have
 * a real client. Answers the last command's reply; an error reply of any of them is thrown.
 */
export function redisCommands(
  address: { readonly path: string } | { readonly host: string; readonly port: number },
  commands: readonly (readonly string[])[],
  timeoutMs = 2000,
): Promise<RedisReply> {
  return new Promise((resolve, reject) => {
    const socket = connect(address);
    let received = Buffer.alloc(0);
    let at = 0;
    let missing = commands.length;
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(timeoutMs, () => fail(new Error('Redis did not answer in time')));
    socket.on('error', fail);
    socket.on('close', () => reject(new Error('Redis closed the connection')));
    socket.on('connect', () => socket.write(commands.map(encode).join('')));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      for (let reply = parse(received, at); reply !== undefined; reply = parse(received, at)) {
        if (reply.value instanceof Error) return fail(reply.value);
        at = reply.end;
        missing -= 1;
        if (missing > 0) continue;
        resolve(reply.value);
        socket.destroy();
        return;
      }
    });
  });
}

function encode(words: readonly string[]): string {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join('')}`;
}

/** One reply from `at` on; undefined while it is not whole. */
function parse(buffer: Buffer, at: number): { value: RedisReply | Error; end: number } | undefined {
  const lineEnd = buffer.indexOf('\r\n', at);
  if (lineEnd < 0) return undefined;
  const line = buffer.toString('utf8', at + 1, lineEnd);
  const next = lineEnd + 2;
  switch (String.fromCharCode(buffer[at] ?? 0)) {
    case '-':
      return { value: new Error(`Redis refused: ${line}`), end: next };
    case '$': {
      const length = Number(line);
      if (length < 0) return { value: null, end: next };
      if (buffer.length < next + length + 2) return undefined;
      return { value: buffer.toString('utf8', next, next + length), end: next + length + 2 };
    }
    case '*': {
      const items: RedisReply[] = [];
      let end = next;
      for (let count = Number(line); count > 0; count -= 1) {
        const item = parse(buffer, end);
        if (item === undefined || item.value instanceof Error) return item;
        items.push(item.value);
        end = item.end;
      }
      return { value: items, end };
    }
    default:
      return { value: line, end: next };
  }
}
