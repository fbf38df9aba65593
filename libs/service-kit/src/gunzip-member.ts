import { messageOf, VerdictError } from '@floy/domain';
import { crc32, createInflateRaw } from 'node:zlib';

/** Names and comments of a gzip header; no honest one is longer. */
const HEADER_LIMIT_BYTES = 64 * 1024;
const FIXED_BYTES = 10;
const TRAILER_BYTES = 8;
const FLAGS = { headerSum: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 };

/**
 * What is compressed in a gzip file of exactly one member. Several members after each other, and
 * whatever comes after the last, are read in one way by one program and in another by the next.
 *
 * @throws VerdictError where it is not compressed by gzip, damaged, or more than one member
 */
export async function* gunzipMember(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const chunks = source[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  let length: number | undefined;
  while ((length = headerLength(head)) === undefined) {
    const { value, done } = await chunks.next();
    if (done === true || head.length > HEADER_LIMIT_BYTES) throw damaged();
    head = Buffer.concat([head, value]);
  }
  const inflate = createInflateRaw({ chunkSize: 64 * 1024 });
  let compressed = 0;
  let tail = Buffer.alloc(0);
  let failure: Error | undefined;
  const feed = async (): Promise<void> => {
    const write = async (chunk: Buffer): Promise<void> => {
      compressed += chunk.length;
      tail = Buffer.concat([tail, chunk]).subarray(-TRAILER_BYTES);
      if (inflate.writableEnded || inflate.readableEnded || inflate.destroyed) return;
      if (!inflate.write(chunk)) await drained(inflate);
    };
    await write(head.subarray(length));
    for (;;) {
      const { value, done } = await chunks.next();
      if (done === true) break;
      await write(value);
    }
    inflate.end();
  };
  const fed = feed().catch((error: unknown) => {
    failure = error instanceof Error ? error : new Error(messageOf(error));
    inflate.destroy(failure);
  });
  let sum = 0;
  let size = 0;
  try {
    for await (const chunk of inflate as AsyncIterable<Buffer>) {
      sum = crc32(chunk, sum);
      size += chunk.length;
      yield chunk;
    }
    await fed;
  } catch (error) {
    throw failure ?? ((error as NodeJS.ErrnoException).code?.startsWith('Z_') ? damaged() : error);
  } finally {
    inflate.destroy();
    await chunks.return?.();
  }
  if (failure !== undefined) throw failure;
  if (inflate.bytesWritten !== compressed - TRAILER_BYTES) {
    const more = inflate.bytesWritten < compressed - TRAILER_BYTES;
    throw more
      ? new VerdictError('The artifact has something after the end of what gzip compressed')
      : damaged();
  }
  if (tail.readUInt32LE(0) !== sum || tail.readUInt32LE(4) !== size % 2 ** 32) throw damaged();
}

/** Goes on too when nothing more is read. */
function drained(inflate: ReturnType<typeof createInflateRaw>): Promise<void> {
  const events = ['drain', 'end', 'close', 'error'];
  return new Promise((resolve) => {
    const go = (): void => {
      for (const event of events) inflate.off(event, go);
      resolve();
    };
    for (const event of events) inflate.on(event, go);
  });
}

/** Where the compressed data begins, or undefined while the header is not there yet. */
function headerLength(head: Buffer): number | undefined {
  if (head.length < FIXED_BYTES) return undefined;
  const flags = head[3] ?? 0;
  if (head.readUInt16BE(0) !== 0x1f8b || head[2] !== 8 || (flags & FLAGS.reserved) !== 0) {
    throw damaged();
  }
  let at = FIXED_BYTES;
  if ((flags & FLAGS.extra) !== 0) {
    if (head.length < at + 2) return undefined;
    at += 2 + head.readUInt16LE(at);
  }
  for (const flag of [FLAGS.name, FLAGS.comment]) {
    if ((flags & flag) === 0) continue;
    const end = head.indexOf(0, at);
    if (end < 0) return undefined;
    at = end + 1;
  }
  if ((flags & FLAGS.headerSum) !== 0) at += 2;
  return head.length < at ? undefined : at;
}

function damaged(): VerdictError {
  return new VerdictError('The artifact is not compressed by gzip, or is damaged');
}
