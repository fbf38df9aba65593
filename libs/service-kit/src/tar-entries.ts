import { VerdictError } from '@floy/domain';

/** What an archive would put on the disk. */
export interface TarEntry {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link' | 'hardlink';
  readonly size: number;
  /** Of links: where to. */
  readonly target: string;
}

const BLOCK = 512;
/** Long names and extended headers are read into memory; no honest one is longer. */
const HEADER_LIMIT_BYTES = 64 * 1024;
const KINDS: Readonly<Record<string, TarEntry['kind']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'link',
  '5': 'folder',
};
const SPECIAL: Readonly<Record<string, string>> = {
  '3': 'a character device',
  '4': 'a block device',
  '6': 'a pipe',
  S: 'a sparse file',
};

/**
 * Reads the headers of a tar archive (ustar, GNU long names, pax). Anything that could mean
 * something else to the host's tar than it does here is refused.
 *
 * @throws VerdictError naming the entry
 */
export async function* tarEntries(archive: AsyncIterable<Buffer>): AsyncGenerator<TarEntry> {
  let buffer: Buffer = Buffer.alloc(0);
  let skip = 0;
  let override: { path?: string; linkpath?: string } = {};
  let wanted: { type: string; size: number } | undefined;
  let ended = false;
  for await (const chunk of archive) {
    if (ended) {
      assertZeros(chunk);
      continue;
    }
    buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk]);
    for (;;) {
      const passed = Math.min(skip, buffer.length);
      skip -= passed;
      buffer = buffer.subarray(passed);
      if (skip > 0) break;
      if (wanted !== undefined) {
        const padded = Math.ceil(wanted.size / BLOCK) * BLOCK;
        if (buffer.length < padded) break;
        override = { ...override, ...special(wanted.type, buffer.subarray(0, wanted.size)) };
        buffer = buffer.subarray(padded);
        wanted = undefined;
        continue;
      }
      if (buffer.length < BLOCK) break;
      const header = buffer.subarray(0, BLOCK);
      buffer = buffer.subarray(BLOCK);
      if (header.every((byte) => byte === 0)) {
        ended = true;
        assertZeros(buffer);
        break;
      }
      const { type, size, ...plain } = readHeader(header);
      if ('xgLK'.includes(type)) {
        if (size > HEADER_LIMIT_BYTES) throw new VerdictError('The archive has a header too large');
        wanted = { type, size };
        continue;
      }
      const path = override.path ?? plain.path;
      const kind = KINDS[type];
      if (kind === undefined) {
        throw new VerdictError(
          `The archive has ${SPECIAL[type] ?? `an entry of an unknown kind (${JSON.stringify(type)})`}: ${path}`,
        );
      }
      const folder = kind === 'file' && path.endsWith('/');
      yield {
        path,
        kind: folder ? 'folder' : kind,
        size,
        target: override.linkpath ?? plain.target,
      };
      override = {};
      skip = kind === 'file' ? Math.ceil(size / BLOCK) * BLOCK : 0;
      if (kind !== 'file' && size > 0) {
        throw new VerdictError(`The archive has contents where none can be: ${path}`);
      }
    }
  }
  if (!ended && (skip > 0 || wanted !== undefined || buffer.length > 0)) {
    throw new VerdictError('The archive is cut off');
  }
}

/** GNU tar stops at the first block of zeros, BusyBox' goes on: nothing may come after it. */
function assertZeros(rest: Buffer): void {
  if (rest.some((byte) => byte !== 0)) {
    throw new VerdictError('The archive has something after its end');
  }
}

function readHeader(header: Buffer): { type: string; path: string; size: number; target: string } {
  const stored = Number.parseInt(text(header, 148, 8).trim(), 8);
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at += 1) if (at < 148 || at >= 156) sum += header[at] ?? 0;
  if (stored !== sum) throw new VerdictError('The artifact is not a tar archive');
  const digits = text(header, 124, 12).trim();
  if (!/^[0-7]*$/.test(digits)) throw new VerdictError('The archive has an entry of 8 GiB or more');
  const prefix =
    text(header, 257, 6).startsWith('ustar') && header[263] === 0x30 ? text(header, 345, 155) : '';
  const name = text(header, 0, 100);
  return {
    type: String.fromCharCode(header[156] ?? 0),
    path: prefix === '' ? name : `${prefix}/${name}`,
    size: digits === '' ? 0 : Number.parseInt(digits, 8),
    target: text(header, 157, 100),
  };
}

/** A long name of GNU tar, or the records of an extended header. */
function special(type: string, data: Buffer): { path?: string; linkpath?: string } {
  if (type === 'L') return { path: text(data, 0, data.length) };
  if (type === 'K') return { linkpath: text(data, 0, data.length) };
  const found: { path?: string; linkpath?: string } = {};
  for (let at = 0; at < data.length;) {
    const space = data.indexOf(0x20, at);
    const length = Number.parseInt(data.subarray(at, Math.max(at, space)).toString('latin1'), 10);
    if (!(length > 0) || at + length > data.length) {
      throw new VerdictError('The archive has a damaged extended header');
    }
    const record = data.subarray(space + 1, at + length - 1).toString('utf8');
    const key = record.slice(0, record.indexOf('='));
    const value = record.slice(key.length + 1);
    const renames = key === 'path' || key === 'linkpath';
    if (key === 'size' || key.startsWith('GNU.sparse') || (renames && type === 'g')) {
      throw new VerdictError(`The archive has an extended header that is not accepted: ${key}`);
    }
    if (renames) {
      if (value.includes('\0')) throw new VerdictError('The archive has a name with a NUL in it');
      found[key] = value;
    }
    at += length;
  }
  return found;
}

function text(block: Buffer, from: number, length: number): string {
  const field = block.subarray(from, from + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? field.length : end).toString('utf8');
}
