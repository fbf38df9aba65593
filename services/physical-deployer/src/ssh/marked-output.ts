/**
 * How often a script may say each word. A host may run anything in place of the script: what is not
 * declared here is never heard.
 */
export type MarkLimits = Readonly<Record<string, number>>;

/**
 * A remote script says things to the worker in lines among its output: a record separator, the
 * run's random nonce, words. A script cannot end without its `done` line arriving, and nothing
 * that the host prints by itself (greetings of a login shell, output of commands) can be taken for one.
 */
export interface MarkedOutputReader {
  /** All that the script may say. */
  readonly marks: MarkLimits;
  onData(data: Buffer): void;
  onMark(word: string, rest: string): void;
  /** The host has said more than it may, as `reason` tells; nothing further is read. */
  onExcess(reason: string): void;
}

/** No line of a script is longer. */
const MARK_LIMIT_BYTES = 4096;
/** No more is said in all lines of one run: thousands of releases fit. */
const MARKS_LIMIT_BYTES = 1024 * 1024;
/** No command that people run prints more; the end of it is all that is kept. */
const OUTPUT_LIMIT_BYTES = 128 * 1024 * 1024;
const NEWLINE = 0x0a;
const NOTHING = Buffer.alloc(0);

/** Splits a stream into output and marks; a mark may be cut anywhere between two chunks. */
export function createMarkedOutput(
  nonce: string,
  reader: MarkedOutputReader,
): (chunk: Buffer) => void {
  const prefix = Buffer.from(`\x1e${nonce} `, 'latin1');
  const left = new Map(Object.entries(reader.marks));
  let pending: Buffer = NOTHING;
  let output = 0;
  let marked = 0;
  let over = false;
  const excess = (reason: string): void => {
    over = true;
    pending = NOTHING;
    reader.onExcess(reason);
  };
  const emit = (data: Buffer): void => {
    output += data.length;
    if (output > OUTPUT_LIMIT_BYTES) excess('printed more than 128 MiB');
    else if (data.length > 0) reader.onData(data);
  };
  const mark = (line: Buffer): void => {
    const text = line.toString('utf8');
    const space = text.indexOf(' ');
    const word = space < 0 ? text : text.slice(0, space);
    const times = left.get(word) ?? 0;
    marked += line.length;
    if (times === 0) {
      const known = left.has(word);
      excess(known ? `said ${word} too often` : 'said a word that the script does not have');
    } else if (marked > MARKS_LIMIT_BYTES) excess('said more than 1 MiB in marks');
    else {
      left.set(word, times - 1);
      reader.onMark(word, space < 0 ? '' : text.slice(space + 1));
    }
  };
  return (chunk) => {
    if (over) return;
    let rest = pending.length > 0 ? Buffer.concat([pending, chunk]) : chunk;
    pending = NOTHING;
    while (!over) {
      const start = rest.indexOf(prefix);
      if (start < 0) {
        const cut = possibleStart(rest, prefix);
        emit(rest.subarray(0, cut));
        pending = Buffer.from(rest.subarray(cut));
        return;
      }
      emit(rest.subarray(0, start));
      rest = rest.subarray(start);
      // No further than a mark may reach: a host could send the beginnings of marks only.
      const end = rest.subarray(0, MARK_LIMIT_BYTES + 1).indexOf(NEWLINE);
      if ((end < 0 ? rest.length : end) > MARK_LIMIT_BYTES) {
        return excess(`said more than ${MARK_LIMIT_BYTES} bytes in one mark`);
      }
      if (end < 0) {
        pending = Buffer.from(rest);
        return;
      }
      mark(rest.subarray(prefix.length, end));
      rest = rest.subarray(end + 1);
    }
  };
}

/** Where the end of the data may be the beginning of a mark; its length if nowhere. */
function possibleStart(data: Buffer, prefix: Buffer): number {
  const from = Math.max(0, data.length - prefix.length + 1);
  for (let at = data.indexOf(0x1e, from); at >= 0; at = data.indexOf(0x1e, at + 1)) {
    if (data.subarray(at).equals(prefix.subarray(0, data.length - at))) return at;
  }
  return data.length;
}
