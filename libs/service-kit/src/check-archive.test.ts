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
  readonly mode?: string;
  /** In place of the eight bytes that name the dialect and its version. */
  readonly dialect?: string;
  /** In place of the size of the data. */
  readonly size?: Buffer;
  readonly prefix?: string;
}

const USTAR = 'ustar\x0000';
const GNU = 'ustar  \0';

/** A tar archive as an attacker writes it, entry by entry. */
function tar(entries: readonly Entry[]): Buffer {
  const blocks = entries.flatMap(({ name, type = '0', target = '', data = '', ...more }) => {
    const header = Buffer.alloc(512);
    const body = Buffer.from(data);
    header.write(name, 0, 100);
    header.write(`${more.mode ?? '0000644'}\0`, 100);
    header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
    more.size?.copy(header, 124);
    header.write('00000000000\0', 136);
    header.write('        ', 148);
    header.write(type, 156);
    header.write(target, 157, 100);
    header.write(more.dialect ?? USTAR, 257, 'latin1');
    header.write(more.prefix ?? '', 345);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    const padded = Buffer.alloc(Math.ceil(body.length / 512) * 512);
    body.copy(padded);
    return [header, padded];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
/** A size as the number that GNU tar writes where the digits do not suffice. */
const base256 = (size: number): Buffer => {
  const field = Buffer.alloc(12);
  field.writeUInt32BE(size, 8);
  field[0] = 0x80;
  return field;
};
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
    ['comes twice', [{ name: 'f' }, { name: 'f', data: 'other' }]],
    ['comes twice', [{ name: 'd/f' }, { name: 'd' }]],
    ['goes through a file', [{ name: 'f' }, { name: 'f/g' }]],
    ['gives the rights of its owner', [{ name: 'f', mode: '0004755' }]],
    ['gives the rights of its owner', [{ name: 'f', mode: '0002755' }]],
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

  const renamed = (path: string): Entry => ({ name: 'x', type: 'x', data: pax(`path=${path}`) });
  const long = (path: string, type = 'L'): Entry => ({ name: 'L', type, data: `${path}\0` });
  it.each<[string, string, Entry[]]>([
    ['an extended header and a long name', 'mixed: x, L', [renamed('a'), long('../b')]],
    ['an extended header and a long target', 'mixed: x, K', [renamed('a'), long('../b', 'K')]],
    ['a long name and an extended header', 'mixed: L, x', [long('../b'), renamed('a')]],
    ['two extended headers', 'mixed: x, x', [renamed('a'), renamed('b')]],
    ['two long names', 'mixed: L, L', [long('a'), long('../b')]],
    ['two targets', 'mixed: K, K', [long('a', 'K'), long('b', 'K')]],
    ['a global header in between', 'mixed: x, g', [renamed('a'), { name: 'g', type: 'g' }]],
    ['a header of nothing', 'a header of nothing', [{ name: 'f' }, renamed('a')]],
    ['a version of ustar', 'a dialect', [{ name: 'f', dialect: 'ustar\x0001', prefix: '/etc' }]],
    ['no version of ustar', 'a dialect', [{ name: 'f', dialect: 'ustar\0\0\0', prefix: '..' }]],
    ['no dialect', 'a dialect', [{ name: 'f', dialect: '\0'.repeat(8) }]],
    ['the prefix of another', 'two dialects', [{ name: 'f', dialect: GNU, prefix: '..' }]],
    ['a size in base 256', '8 GiB or more', [{ name: 'f', size: base256(0) }]],
    ['a size that is none', 'no number', [{ name: 'f', size: Buffer.from('0000000008\0') }]],
    ['contents of a folder', 'contents where none', [{ name: 'd/', data: 'x' }]],
    [
      'contents of a link',
      'contents where none',
      [{ name: 'l', type: '2', target: 'a', data: 'x' }],
    ],
    ['a NUL in a name', 'a NUL in it', [{ name: 'a\0/../b' }]],
    ['a NUL in a long name', 'after that of a header', [long('a\0/../b'), { name: 'f' }]],
    [
      'the same record twice',
      'not accepted: path',
      [{ name: 'x', type: 'x', data: pax('path=a') + pax('path=../b') }],
    ],
    [
      'another alphabet',
      'not accepted: hdrcharset',
      [{ name: 'x', type: 'x', data: pax('hdrcharset=BINARY') }],
    ],
    ['an empty name', 'an empty name', [{ name: 'x', type: 'x', data: pax('path=') }]],
    [
      'a record that ends elsewhere',
      'damaged extended',
      [{ name: 'x', type: 'x', data: '9 path=../\n' }],
    ],
    [
      'a global header that renames',
      'not accepted: linkpath',
      [{ name: 'g', type: 'g', data: pax('linkpath=/etc') }],
    ],
    ['a sparse file', 'a sparse file', [{ name: 's', type: 'S' }]],
  ])('refuses %s, which GNU tar reads in another way', async (_, reason, entries) => {
    const refused = check([{ name: 'honest', data: 'x' }, ...entries]);
    await expect(refused).rejects.toThrow(VerdictError);
    await expect(refused).rejects.toThrow(reason);
  });

  it('takes the comment of git, twins but for their case, and names of GNU tar or of pax', async () => {
    await check([
      { name: 'pax_global_header', type: 'g', data: pax(`comment=${'a'.repeat(40)}`) },
      { name: 'Name' },
      { name: 'name' },
      { name: 'x', type: 'x', data: pax('path=long') + pax('mtime=1.5') },
      { name: 'f' },
      { name: '././@LongLink', type: 'K', data: 'there\0', dialect: GNU },
      { name: '././@LongLink', type: 'L', data: 'here\0', dialect: GNU },
      { name: 'l', type: '2', target: 'there', dialect: GNU },
    ]);
  });

  it('refuses several members of gzip, and whatever comes after the one', async () => {
    const whole = tar([{ name: 'a', data: 'x'.repeat(100_000) }]);
    const read = (...parts: Buffer[]): Promise<void> => checkArchive(Readable.from(parts));
    const member = gzipSync(whole);
    await read(member);
    await read(...Array.from(member, (_, at) => member.subarray(at, at + 1)));
    for (const more of [gzipSync(''), gzipSync(whole), Buffer.from([0]), Buffer.alloc(70_000)]) {
      await expect(read(member, more)).rejects.toThrow('after the end of what gzip compressed');
      await expect(read(Buffer.concat([member, more]))).rejects.toThrow('after the end');
    }
    const halves = [gzipSync(whole.subarray(0, 512)), gzipSync(whole.subarray(512))];
    await expect(read(...halves)).rejects.toThrow(VerdictError);
    for (const at of [-1, -5, 1, 3, 30]) {
      const wrong = Buffer.from(member);
      wrong[at < 0 ? wrong.length + at : at]! ^= 0xff;
      await expect(read(wrong)).rejects.toThrow(VerdictError);
    }
    await expect(read(member.subarray(0, -3))).rejects.toThrow(VerdictError);
  });

  it('refuses what is no archive, what is cut off and what grows out of bounds', async () => {
    const whole = tar([{ name: 'a', data: 'x'.repeat(2000) }]);
    const read = (bytes: Buffer): Promise<void> => checkArchive(Readable.from([bytes]));
    await expect(read(Buffer.from('hello'))).rejects.toThrow('not compressed by gzip');
    await expect(read(gzipSync(Buffer.alloc(600, 'x')))).rejects.toThrow('not a tar archive');
    await expect(read(gzipSync(whole.subarray(0, 1000)))).rejects.toThrow('cut off');
    await expect(read(gzipSync(whole).subarray(0, 60))).rejects.toThrow('damaged');
    const bomb = Readable.from([gzipSync(tar([{ name: 'a', data: '0'.repeat(1_000_000) }]))]);
    await expect(checkArchive(bomb, { limits: { entries: 10, bytes: 999_999 } })).rejects.toThrow(
      'too large',
    );
    const many = Readable.from([gzipSync(tar([{ name: 'a' }, { name: 'b' }, { name: 'c' }]))]);
    await expect(checkArchive(many, { limits: { entries: 2, bytes: 10 } })).rejects.toThrow(
      'too large',
    );
  });

  it('takes links of an own build that lead out, and nothing through them or into a .floy', async () => {
    const own = (...entries: Entry[]): Promise<void> =>
      checkArchive(Readable.from([gzipSync(tar(entries))]), { linksOut: true });
    const out = { name: 'bin/python3', type: '2', target: '/usr/bin/python3' };
    await own(out, { name: 'up', type: '2', target: '../..' }, { name: 'last' });
    await expect(own(out, { name: 'bin/python3/x' })).rejects.toThrow('goes through a link');
    for (const target of ['../../.floy/env/current', '/srv/x/.floy', './.floy//env']) {
      await expect(own({ name: 'l', type: '2', target })).rejects.toThrow('link into a .floy');
    }
    await expect(own({ name: 'h', type: '1', target: '/etc/shadow' })).rejects.toThrow('hard link');
  });

  it('refuses few bytes that make gigabytes of names, at once', async () => {
    const named = (path: string, name: string): Entry[] => [
      { name: 'x', type: 'x', data: pax(`path=${path}`) },
      { name, type: '2', target: 'x' },
    ];
    const deep = Array.from({ length: 8 }, (_, n) => named(`${n}/${'a/'.repeat(30_000)}f`, 'f'));
    await expect(check(deep.flat())).rejects.toThrow('has too long a name');
    // Each is short enough, and all together are not: folders that are only named count too.
    const wide = Array.from({ length: 600 }, (_, n) =>
      named(`${n}/${'a/'.repeat(1000)}f`, 'f'),
    ).flat();
    await expect(check(wide)).rejects.toThrow(/too large: 50\d{4} entries/);
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
