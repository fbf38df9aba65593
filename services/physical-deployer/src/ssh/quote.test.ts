import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { quote } from './quote.js';

const shells = ['/bin/sh', '/bin/dash', '/bin/bash', '/bin/busybox'].filter((path) =>
  existsSync(path),
);

function echoed(shell: string, words: readonly string[]): string[] {
  const script = `printf '%s\\0' ${words.map(quote).join(' ')}\n`;
  const args = shell.endsWith('busybox') ? ['sh', '-s'] : ['-s'];
  const output = execFileSync(shell, args, { input: script, env: {} });
  return output.toString('utf8').split('\0').slice(0, -1);
}

describe('quote', () => {
  it.each([
    ['', "''"],
    ['plain', "'plain'"],
    ["it's", String.raw`'it'\''s'`],
    ['$(touch /tmp/x); `id`', "'$(touch /tmp/x); `id`'"],
    ['two\nlines', "'two\nlines'"],
  ])('%j becomes %s', (text, word) => {
    expect(quote(text)).toBe(word);
  });

  it('refuses what a shell cannot hold', () => {
    expect(() => quote('a\0b')).toThrow('NUL');
  });

  it.each(shells)('keeps every text as it is in %s', (shell) => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({
        unit: fc.constantFrom("'", '"', '\\', '$', '`', '!', '\n', '\r', '*', '-', ' '),
      }),
    );
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 30 }), (texts) => {
        const words = texts.map((one) => one.replaceAll('\0', ''));
        expect(echoed(shell, words)).toEqual(words);
      }),
      { numRuns: 40 },
    );
  });
});
