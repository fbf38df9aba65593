import { VerdictError } from '@floy/domain';

const BLOCK = 512;
/** Long names and extended headers are read into memory; no honest one is longer. */
const HEADER_LIMIT_BYTES = 64 * 1024;
const SPECIAL: Readonly<Record<string, string>> = {
  '3': 'a character device',
  '4': 'a block device',
  '6': 'a pipe',
  S: 'a sparse file',
};
/** Records of an extended header that change what is read, and that programs read differently. */
const REFUSED_RECORD = /^(size|hdrcharset|charset|GNU\..*|SUN\..*)$/;
/** Fields of a header that are text up to the first NUL: name, and where a link leads. */
const TEXTS = [
  [0, 100],
  [157, 100],
] as const;

/**
 * Passes an archive on whose every header means the same to every program: the same bytes, or an
 * error at the first that could be read in two ways. Those are headers that rename the same entry
 * twice or in two dialects, versions and fields of no dialect, sizes in other numbers, whatever comes
 * after the end, and an end that is missing.
 *
 * @throws VerdictError saying what it is
 */
export async function* strictTar(archive: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let buffer: Buffer = Buffer.alloc(0);
  let skip = 0;
  let renames = new Set<string>();
  let wanted: { type: string; size: number } | undefined;
  let ended = false;
  for await (const chunk of archive) {
    if (ended) assertZeros(chunk);
    buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk]);
    while (!ended) {
      const passed = Math.min(skip, buffer.length);
      skip -= passed;
      buffer = buffer.subarray(passed);
      if (skip > 0) break;
      if (wanted !== undefined) {
        const padded = Math.ceil(wanted.size / BLOCK) * BLOCK;
        if (buffer.length < padded) break;
        checkSpecial(wanted.type, buffer.subarray(0, wanted.size));
        assertZeros(buffer.subarray(wanted.size, padded));
        buffer = buffer.subarray(padded);
        wanted = undefined;
        continue;
      }
      if (buffer.length < BLOCK) break;
      const header = buffer.subarray(0, BLOCK);
      buffer = buffer.subarray(BLOCK);
      if (header.every((byte) => byte === 0)) {
        if (renames.size > 0) throw new VerdictError('The archive ends after a header of nothing');
        ended = true;
        assertZeros(buffer);
        break;
      }
      const { type, size } = readHeader(header);
      if ('xgLK'.includes(type)) {
        if (size > HEADER_LIMIT_BYTES) throw new VerdictError('The archive has a header too large');
        checkOrder(renames, type);
        // A reader of tar may stop at one, or take the next entry for its contents.
        if (size === 0) throw new VerdictError('The archive has an extended header of nothing');
        renames.add(type);
        wanted = { type, size };
        if (type === 'g') renames = new Set();
        continue;
      }
      const name = text(header, 0, 100);
      if (!'0125'.includes(type)) {
        const what = SPECIAL[type] ?? `an entry of an unknown kind (${JSON.stringify(type)})`;
        throw new VerdictError(`The archive has ${what}: ${name}`);
      }
      if (size > 0 && (type !== '0' || name.endsWith('/'))) {
        throw new VerdictError(`The archive has contents where none can be: ${name}`);
      }
      renames = new Set();
      skip = Math.ceil(size / BLOCK) * BLOCK;
    }
    yield chunk;
  }
  if (!ended) throw new VerdictError('The archive is cut off');
}

/** One entry is renamed in one dialect: by one extended header, or by one long name and one target. */
function checkOrder(before: ReadonlySet<string>, type: string): void {
  const mixed = type === 'L' || type === 'K' ? before.has('x') : before.size > 0;
  if (before.has(type) || mixed) {
    throw new VerdictError(
      `The archive has headers that are repeated or mixed: ${[...before, type].join(', ')}`,
    );
  }
}

/** Nothing may come after the end, where one tar goes on and another stops, nor stand in padding. */
function assertZeros(rest: Buffer): void {
  if (rest.some((byte) => byte !== 0)) {
    throw new VerdictError('The archive has something after its end, or after that of a header');
  }
}

function readHeader(header: Buffer): { type: string; size: number } {
  const stored = Number.parseInt(text(header, 148, 8).trim(), 8);
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at += 1) if (at < 148 || at >= 156) sum += header[at] ?? 0;
  if (stored !== sum) throw new VerdictError('The artifact is not a tar archive');
  const dialect = header.subarray(257, 265).toString('latin1');
  if (dialect !== 'ustar\x0000' && dialect !== 'ustar  \0') {
    throw new VerdictError(
      `The archive is of a dialect that is not accepted: ${JSON.stringify(dialect)}`,
    );
  }
  // Here GNU tar keeps other things than the beginning of a name.
  if (dialect === 'ustar  \0' && header.subarray(345).some((byte) => byte !== 0)) {
    throw new VerdictError('The archive has a name of two dialects');
  }
  const fields = dialect === 'ustar  \0' ? TEXTS : [...TEXTS, [345, 155] as const];
  for (const [from, length] of fields) {
    const field = header.subarray(from, from + length);
    const end = field.indexOf(0);
    if (end >= 0 && field.subarray(end).some((byte) => byte !== 0)) {
      throw new VerdictError('The archive has a name with a NUL in it');
    }
  }
  const digits = /^ *([0-7]+)[ \0]*$/.exec(header.toString('latin1', 124, 136))?.[1];
  if (digits === undefined) {
    throw new VerdictError(
      'The archive has an entry of 8 GiB or more, or a size that is no number',
    );
  }
  return { type: String.fromCharCode(header[156] || 0x30), size: Number.parseInt(digits, 8) };
}

/** Looks at a long name of GNU tar, or at the records of an extended header. */
function checkSpecial(type: string, data: Buffer): void {
  if (type === 'L' || type === 'K') {
    const end = data.indexOf(0);
    if (end <= 0) throw new VerdictError('The archive has a damaged long name');
    assertZeros(data.subarray(end));
    return;
  }
  const seen = new Set<string>();
  for (let at = 0; at < data.length;) {
    const space = data.indexOf(0x20, at);
    const digits = data.subarray(at, Math.max(at, space)).toString('latin1');
    const length = Number.parseInt(digits, 10);
    const whole = /^[1-9]\d{0,6}$/.test(digits) && data[at + length - 1] === 0x0a;
    if (!whole || at + length > data.length) {
      throw new VerdictError('The archive has a damaged extended header');
    }
    const record = data.subarray(space + 1, at + length - 1).toString('utf8');
    const key = record.slice(0, Math.max(0, record.indexOf('=')));
    const value = record.slice(key.length + 1);
    const renames = key === 'path' || key === 'linkpath';
    if (key === '' || seen.has(key) || REFUSED_RECORD.test(key) || (renames && type === 'g')) {
      throw new VerdictError(`The archive has an extended header that is not accepted: ${key}`);
    }
    if (renames && (value === '' || value.includes('\0'))) {
      throw new VerdictError('The archive has an empty name, or one with a NUL in it');
    }
    seen.add(key);
    at += length;
  }
}

function text(block: Buffer, from: number, length: number): string {
  const field = block.subarray(from, from + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? field.length : end).toString('utf8');
}
