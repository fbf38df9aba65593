/**
 * A remote script says things to the worker in lines among its output: a record separator, the
 * run's random nonce, words. A script cannot end without its `done` line arriving, and nothing
 * that the host prints by itself (greetings of a login shell, output of commands) can be taken for one.
 */
export interface MarkedOutputReader {
  onData(data: Buffer): void;
  onMark(word: string, rest: string): void;
}

/** A mark's line is no longer than this, whatever a hostile host sends. */
const MARK_LIMIT_BYTES = 4096;
const NEWLINE = 0x0a;
const NOTHING = Buffer.alloc(0);

/** Splits a stream into output and marks; a mark may be cut anywhere between two chunks. */
export function createMarkedOutput(
  nonce: string,
  reader: MarkedOutputReader,
): (chunk: Buffer) => void {
  const prefix = Buffer.from(`\x1e${nonce} `, 'latin1');
  let pending: Buffer = NOTHING;
  const emit = (data: Buffer): void => {
    if (data.length > 0) reader.onData(data);
  };
  return (chunk) => {
    let rest = pending.length > 0 ? Buffer.concat([pending, chunk]) : chunk;
    pending = NOTHING;
    for (;;) {
      const start = rest.indexOf(prefix);
      if (start < 0) {
        const cut = possibleStart(rest, prefix);
        emit(rest.subarray(0, cut));
        pending = Buffer.from(rest.subarray(cut));
        return;
      }
      emit(rest.subarray(0, start));
      rest = rest.subarray(start);
      // No further than a mark's line may reach: a host could send the beginnings of marks only.
      const end = rest.subarray(0, MARK_LIMIT_BYTES + 1).indexOf(NEWLINE);
      if (end < 0 && rest.length < MARK_LIMIT_BYTES) {
        pending = Buffer.from(rest);
        return;
      }
      if (end < 0 || end > MARK_LIMIT_BYTES) {
        emit(rest.subarray(0, prefix.length));
        rest = rest.subarray(prefix.length);
        continue;
      }
      const line = rest.subarray(prefix.length, end).toString('utf8');
      const space = line.indexOf(' ');
      rest = rest.subarray(end + 1);
      if (space < 0) reader.onMark(line, '');
      else reader.onMark(line.slice(0, space), line.slice(space + 1));
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
