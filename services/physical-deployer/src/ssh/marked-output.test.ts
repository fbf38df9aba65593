import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createMarkedOutput } from './marked-output.js';

function read(chunks: readonly Buffer[]): { data: string; marks: string[]; excess: string[] } {
  const data: Buffer[] = [];
  const marks: string[] = [];
  const excess: string[] = [];
  const feed = createMarkedOutput('abc123', {
    marks: { start: 1, done: 1, release: 2 },
    onExcess: (reason) => excess.push(reason),
    onData: (chunk) => data.push(Buffer.from(chunk)),
    onMark: (word, rest) => marks.push(`${word}|${rest}`),
  });
  for (const chunk of chunks) feed(chunk);
  return { data: Buffer.concat(data).toString('latin1'), marks, excess };
}

describe('marked output', () => {
  it('takes marks out of the output, wherever the chunks are cut', () => {
    const whole = Buffer.from(
      'noise\x1eabc123 start\nhello \x1eother x\n\x1eabc123 done 3 4\nlate\n',
    );
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length)), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
        const chunks = at.slice(1).map((end, index) => whole.subarray(at[index], end));
        expect(read(chunks)).toEqual({
          data: 'noisehello \x1eother x\nlate\n',
          marks: ['start|', 'done|3 4'],
          excess: [],
        });
      }),
    );
  });

  it.each([
    ['one mark that never ends', 'x'.repeat(100_000), 'in one mark'],
    ['a word that the script does not have', 'constructor 1\n', 'does not have'],
    [
      'a word of its own too often',
      'release a\n\x1eabc123 release b\n\x1eabc123 release c\n',
      'often',
    ],
  ])('stops at %s', (_, said, reason) => {
    const seen = read([Buffer.from(`\x1eabc123 ${said}`), Buffer.from('\x1eabc123 start\nmore')]);
    expect(seen.excess).toEqual([expect.stringContaining(reason)]);
    expect(seen.marks).toEqual(reason === 'often' ? ['release|a', 'release|b'] : []);
    expect(seen.data).toBe('');
  });
});
