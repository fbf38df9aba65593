import type { Redactor } from '@floy/secrets/redaction';
import { StringDecoder } from 'node:string_decoder';

/** A command that prints without end fills neither the log nor the memory. */
const LIVE_LIMIT_BYTES = 1024 * 1024;
const LINE_LIMIT = 8192;

/** Output as it arrives, given on line by line. */
export interface LiveLines {
  /** Bytes of the whole output that were seen so far. */
  readonly bytes: number;
  /** Whether nothing more but the end is given on. */
  readonly full: boolean;
  push(chunk: Buffer): void;
  /** Gives on what of the whole output was not seen yet, and the last line if it was not ended. */
  finish(end: string, size: number): void;
  /** Another output begins. */
  reset(): void;
}

/** Masked before it is cut into lines of a bounded length. */
export function createLiveLines(
  redactor: Pick<Redactor, 'stream'>,
  log: (line: string) => void,
): LiveLines {
  const masked = redactor.stream();
  let decoder = new StringDecoder('utf8');
  let bytes = 0;
  let rest = '';
  const feed = (text: string): void => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) log(line.slice(0, LINE_LIMIT));
    if (rest.length > LINE_LIMIT) {
      log(rest.slice(0, LINE_LIMIT));
      rest = '';
    }
  };
  return {
    get bytes() {
      return bytes;
    },
    get full() {
      return bytes > LIVE_LIMIT_BYTES;
    },
    push(chunk) {
      const before = bytes;
      bytes += chunk.length;
      if (before > LIVE_LIMIT_BYTES) return;
      feed(masked.push(decoder.write(chunk)));
      if (bytes > LIVE_LIMIT_BYTES) feed('\n… more output is left out here\n');
    },
    finish(end, size) {
      const missing = Math.max(0, size - bytes);
      const tail = Buffer.from(end, 'utf8');
      if (missing > 0)
        feed(masked.push(decoder.write(tail.subarray(Math.max(0, tail.length - missing)))));
      feed(masked.end());
      if (rest !== '') log(rest);
      rest = '';
      bytes = size;
    },
    reset() {
      masked.end();
      decoder = new StringDecoder('utf8');
      bytes = 0;
      rest = '';
    },
  };
}
