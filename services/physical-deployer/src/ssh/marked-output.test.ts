import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createMarkedOutput } from './marked-output.js';

function read(chunks: readonly Buffer[]): { data: string; marks: string[] } {
  const data: Buffer[] = [];
  const marks: string[] = [];
  const feed = createMarkedOutput('abc123', {
    onData: (chunk) => data.push(Buffer.from(chunk)),
    onMark: (word, rest) => marks.push(`${word}|${rest}`),
  });
  for (const chunk of chunks) feed(chunk);
  return { data: Buffer.concat(data).toString('latin1'), marks };
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
        });
      }),
    );
  });

  it('does not collect a mark that never ends', () => {
    const { data, marks } = read([Buffer.from(`\x1eabc123 ${'x'.repeat(100_000)}\n`)]);
    expect(marks).toEqual([]);
    expect(data.length).toBeGreaterThan(100_000);
  });
});
