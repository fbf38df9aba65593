import { VerdictError } from '@floy/domain';
import { unpackArchive } from '@floy/service-kit/unpack-archive';
import { archiveEntries } from '@floy/service-kit/archive-entries';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { packArtifact } from './pack-artifact.js';

let root: string;
let count = 0;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'floy-repack-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const fresh = async (name: string): Promise<string> => {
  count += 1;
  const folder = join(root, `${count}`, name);
  await mkdir(folder, { recursive: true });
  return folder;
};
const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const line = (path: string, kind: string, more: unknown): string =>
  JSON.stringify([path, kind, more]);

/** What of an archive from elsewhere goes to hosts. */
async function repacked(archive: Buffer): Promise<Buffer> {
  const folder = await fresh('package');
  await unpackArchive(Readable.from([archive]), folder);
  return buffer(await packArtifact(dirname(folder), 'package'));
}

/** As Floy reads an archive. */
async function asRead(archive: Buffer): Promise<string[]> {
  const seen: string[] = [];
  const files = new Map<string, [string, boolean]>();
  for await (const { path, kind, target, executable, contents } of archiveEntries(
    Readable.from([archive]),
  )) {
    if (kind === 'folder') seen.push(line(path, kind, ''));
    else if (kind === 'link') seen.push(line(path, kind, target));
    else {
      const found =
        kind === 'file'
          ? ([hash(await buffer(Readable.from(contents))), executable] as [string, boolean])
          : files.get(target);
      files.set(path, found ?? ['', false]);
      seen.push(line(path, 'file', found));
    }
  }
  return [...new Set(seen)].sort();
}

/** As GNU tar unpacks it on a host. */
async function asUnpacked(archive: Buffer): Promise<string[]> {
  const folder = await fresh('host');
  execFileSync('tar', ['-xzof', '-', '-C', folder], { input: archive });
  const seen: string[] = [];
  for (const path of await readdir(folder, { recursive: true })) {
    const at = join(folder, path);
    const found = await lstat(at);
    if (found.isSymbolicLink()) seen.push(line(path, 'link', await readlink(at)));
    else if (found.isDirectory()) seen.push(line(path, 'folder', ''));
    else seen.push(line(path, 'file', [hash(await readFile(at)), (found.mode & 0o111) !== 0]));
  }
  // Nothing beside what is below.
  expect(await readdir(dirname(folder))).toEqual(['host']);
  return seen.sort();
}

const name = fc
  .string({
    unit: fc.constantFrom(...Array.from('abcABC019._-+ =@:,\\\n\t"\'*?[]{}$`é中%~#')),
    minLength: 1,
    maxLength: 60,
  })
  .filter((text) => text !== '.' && text !== '..' && !text.startsWith('.floy'));
const tree = fc.array(
  fc.record({
    path: fc.array(name, { minLength: 1, maxLength: 5 }),
    data: fc.uint8Array({ maxLength: 1200 }),
    kind: fc.constantFrom('file', 'file', 'run', 'link', 'folder'),
    format: fc.constantFrom('gnu', 'pax', 'ustar'),
  }),
  { minLength: 1, maxLength: 12 },
);

describe('an archive from elsewhere, packed anew', () => {
  it('is on a host exactly what Floy has read in it', async () => {
    await fc.assert(
      fc.asyncProperty(tree, fc.constantFrom('gnu', 'pax', 'ustar'), async (made, format) => {
        const folder = await fresh('source');
        for (const { path, data, kind } of made) {
          const at = join(folder, ...path);
          try {
            await mkdir(dirname(at), { recursive: true });
            if (kind === 'folder') await mkdir(at);
            else if (kind === 'link') await symlink(path.at(-1) ?? '', at);
            else await writeFile(at, data, { flag: 'wx', mode: kind === 'run' ? 0o755 : 0o644 });
          } catch {
            // A name that is taken by something else.
          }
        }
        let archive: Buffer;
        try {
          archive = execFileSync('tar', [`--format=${format}`, '-czf', '-', '-C', folder, '.'], {
            stdio: 'pipe',
          });
        } catch {
          return; // ustar does not take every name.
        }
        const read = await asRead(archive);
        const packed = await repacked(archive);
        expect(await asUnpacked(packed)).toEqual(read);
        expect(await asRead(packed)).toEqual(read);
        // The same contents are the same artifact, however they were packed.
        expect(hash(await repacked(packed))).toBe(hash(packed));
      }),
      { numRuns: 25 },
    );
  }, 60_000);

  it('is refused or on a host exactly what Floy has read, whatever its headers say', async () => {
    const part = fc.record({
      type: fc.constantFrom('0', '0', '0', '\0', '1', '2', '5', 'x', 'g', 'L', 'K', 'S'),
      path: fc.constantFrom(
        'a',
        'b',
        'a/b',
        './b',
        'd/',
        'd/e',
        '../up',
        '/abs',
        'd/../x',
        'a\0b',
        '',
      ),
      target: fc.constantFrom('a', 'b', '..', '../up', '/etc', 'd/e', ''),
      dialect: fc.constantFrom(...Array<string>(6).fill('ustar\x0000'), 'ustar  \0', 'ustar\x0001'),
      data: fc.constantFrom(
        '',
        'text',
        'up\0',
        '../up\0',
        '10 path=b\n',
        '13 path=../b\n',
        '17 linkpath=../b\n',
        'x'.repeat(600),
      ),
      prefix: fc.constantFrom('', '', '', '', '', 'd', '..', '/etc'),
    });
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 4 }), async (parts) => {
        const archive = gzipSync(Buffer.concat([...parts.map(rawEntry), Buffer.alloc(1024)]));
        let read: string[];
        try {
          read = await asRead(archive);
        } catch (error) {
          expect(error).toBeInstanceOf(VerdictError);
          await expect(repacked(archive)).rejects.toBeInstanceOf(VerdictError);
          return;
        }
        taken += 1;
        const whole = withFolders(read);
        const packed = await repacked(archive).catch((error: unknown) => {
          expect(error).toBeInstanceOf(VerdictError);
        });
        if (packed) expect(await asUnpacked(packed)).toEqual(whole);
        // What is taken is read by GNU tar as Floy reads it, even as it came.
        expect(await asUnpacked(archive)).toEqual(whole);
      }),
      {
        numRuns: 400,
        // An extended header without anything in it was an error of the reader's own.
        examples: [
          [
            [
              { type: 'g', path: 'a', target: 'a', dialect: 'ustar\x0000', data: '', prefix: '' },
              { type: '0', path: 'a', target: 'a', dialect: 'ustar\x0000', data: '', prefix: '' },
            ],
          ],
        ],
      },
    );
    expect(taken).toBeGreaterThan(5);
  }, 60_000);

  it('has constant times, one owner and two modes', async () => {
    const folder = await fresh('source');
    await writeFile(join(folder, 'run'), 'x', { mode: 0o777 });
    await writeFile(join(folder, 'text'), 'x', { mode: 0o600 });
    const packed = await repacked(execFileSync('tar', ['-czf', '-', '-C', folder, '.']));
    const tar = gunzipSync(packed);
    expect(tar.toString('latin1', 100, 148)).toMatch(/^000755.{2}000000.{2}000000.{2}/s);
    expect(tar.toString('latin1', 136, 147)).toBe('0'.repeat(11));
  });
});

/** Folders that an archive names only as the beginning of a path. */
function withFolders(read: string[]): string[] {
  const folders = read.flatMap((each) => {
    const parts = (JSON.parse(each) as [string])[0].split('/').slice(0, -1);
    return parts.map((_, depth) => line(parts.slice(0, depth + 1).join('/'), 'folder', ''));
  });
  return [...new Set([...read, ...folders])].sort();
}

interface RawEntry {
  readonly type: string;
  readonly path: string;
  readonly target: string;
  readonly dialect: string;
  readonly data: string;
  readonly prefix: string;
}

function rawEntry({ type, path, target, dialect, data, prefix }: RawEntry): Buffer {
  const header = Buffer.alloc(512);
  header.write(path, 0, 100);
  header.write('0000644\x000000000\x000000000\0', 100);
  header.write(`${data.length.toString(8).padStart(11, '0')}\x0000000000000\0`, 124);
  header.write('        ', 148);
  header.write(type, 156, 'latin1');
  header.write('12'.includes(type) ? target : '', 157);
  header.write(dialect, 257, 'latin1');
  header.write(prefix, 345);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(data.length / 512) * 512);
  body.write(data);
  return Buffer.concat([header, body]);
}
