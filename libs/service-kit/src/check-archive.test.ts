import { VerdictError } from '@floy/domain';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { checkArchive } from './check-archive.js';

interface Entry {
  readonly name: string;
  readonly type?: string;
  readonly target?: string;
  readonly data?: string;
}

/** A tar archive as an attacker writes it, entry by entry. */
function tar(entries: readonly Entry[]): Buffer {
  const blocks = entries.flatMap(({ name, type = '0', target = '', data = '' }) => {
    const header = Buffer.alloc(512);
    const body = Buffer.from(data);
    header.write(name, 0, 100);
    header.write('0000644\0', 100);
    header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write('        ', 148);
    header.write(type, 156);
    header.write(target, 157, 100);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    const padded = Buffer.alloc(Math.ceil(body.length / 512) * 512);
    body.copy(padded);
    return [header, padded];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
const check = (entries: readonly Entry[]): Promise<void> =>
  checkArchive(Readable.from([gzipSync(tar(entries))]));
const pax = (record: string): string => {
  let length = record.length + 3;
  while (`${length} ${record}\n`.length !== length) length += 1;
  return `${length} ${record}\n`;
};

describe('what an archive may hold', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'floy-tar-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(['gnu', 'pax', 'ustar'])(
    'takes what tar makes of an honest folder (%s)',
    async (format) => {
      const deep = join(folder, format, 'a'.repeat(70), 'b'.repeat(60));
      await mkdir(deep, { recursive: true });
      await writeFile(
        join(deep, `ünïcode and spaces${format === 'ustar' ? '' : 'c'.repeat(100)}`),
        'x'.repeat(5000),
      );
      await symlink(join('..', '..', 'top'), join(deep, 'link'));
      await writeFile(join(folder, format, 'top'), '');
      const archive = join(folder, `${format}.tar.gz`);
      const args = [`--format=${format}`, '-czf', archive, '-C', join(folder, format), '.'];
      execFileSync('tar', args);
      await checkArchive(createReadStream(archive));
    },
  );

  it.each<[string, Entry[]]>([
    ['is absolute', [{ name: '/etc/passwd' }]],
    ['leaves its folder', [{ name: '../outside' }]],
    ['leaves its folder', [{ name: 'a/../../outside' }]],
    [
      'leaves its folder',
      [{ name: 'x', type: 'x', data: pax('path=../outside') }, { name: 'inside' }],
    ],
    ['leaves its folder', [{ name: 'L', type: 'L', data: '../outside\0' }, { name: 'inside' }]],
    ['a link that leaves', [{ name: 'l', type: '2', target: '/etc' }]],
    ['a link that leaves', [{ name: 'a/l', type: '2', target: '../../etc' }]],
    ['a link that leaves', [{ name: 'a/b/l', type: '2', target: 'k/../../../x' }]],
    ['goes through a link', [{ name: 'l', type: '2', target: 'a' }, { name: 'l/file' }]],
    ['comes twice', [{ name: 'l', type: '2', target: 'a' }, { name: './l' }]],
    ['hard link', [{ name: 'h', type: '1', target: '/etc/shadow' }]],
    [
      'hard link',
      [
        { name: 'l', type: '2', target: 'a' },
        { name: 'h', type: '1', target: 'l' },
      ],
    ],
    ['a block device', [{ name: 'd', type: '4' }]],
    ['a character device', [{ name: 'd', type: '3' }]],
    ['a pipe', [{ name: 'd', type: '6' }]],
    ['unknown kind', [{ name: 'd', type: 'V' }]],
    ["Floy's own", [{ name: './.floy-env' }]],
    ['not accepted: path', [{ name: 'g', type: 'g', data: pax('path=other') }]],
    [
      'not accepted: GNU.sparse.name',
      [{ name: 'x', type: 'x', data: pax('GNU.sparse.name=../o') }],
    ],
    ['not accepted: size', [{ name: 'x', type: 'x', data: pax('size=0') }]],
  ])('refuses what %s', async (reason, entries) => {
    const refused = check([{ name: 'honest', data: 'x' }, ...entries]);
    await expect(refused).rejects.toThrow(VerdictError);
    await expect(refused).rejects.toThrow(reason);
  });

  it('refuses what is no archive, what is cut off and what grows out of bounds', async () => {
    const whole = tar([{ name: 'a', data: 'x'.repeat(2000) }]);
    const read = (bytes: Buffer): Promise<void> => checkArchive(Readable.from([bytes]));
    await expect(read(Buffer.from('hello'))).rejects.toThrow('not compressed by gzip');
    await expect(read(gzipSync(Buffer.alloc(600, 'x')))).rejects.toThrow('not a tar archive');
    await expect(read(gzipSync(whole.subarray(0, 1000)))).rejects.toThrow('cut off');
    await expect(read(gzipSync(whole).subarray(0, 60))).rejects.toThrow('damaged');
    const bomb = Readable.from([gzipSync(tar([{ name: 'a', data: '0'.repeat(1_000_000) }]))]);
    await expect(checkArchive(bomb, { entries: 10, bytes: 999_999 })).rejects.toThrow('too large');
    const many = Readable.from([gzipSync(tar([{ name: 'a' }, { name: 'b' }, { name: 'c' }]))]);
    await expect(checkArchive(many, { entries: 2, bytes: 10 })).rejects.toThrow('too large');
  });

  it('refuses what comes after the end, which not every tar takes for one', async () => {
    const good = tar([{ name: 'a', data: 'x' }]).subarray(0, 1024);
    const more = tar([{ name: 'esc', type: '2', target: '/etc' }]);
    const blocks = (count: number): Buffer => Buffer.alloc(count * 512);
    const read = (parts: Buffer[]): Promise<void> =>
      checkArchive(Readable.from([gzipSync(Buffer.concat(parts))]));
    await read([good, blocks(1)]);
    await read([good, blocks(500)]);
    await expect(read([good, blocks(1), more])).rejects.toThrow('something after its end');
    await expect(read([good, blocks(1000), more])).rejects.toThrow('something after its end');
  });
});
