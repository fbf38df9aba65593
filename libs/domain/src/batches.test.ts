import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { batchOf, batchSizes, failureBudget } from './batches.js';

describe('batchSizes', () => {
  it.each([
    [3, '1', [1, 1, 1]],
    [10, '30%', [3, 3, 3, 1]],
    [10, '1,30%,100%', [1, 3, 6]],
    [10, '1,2', [1, 2, 2, 2, 2, 1]],
    [2, '25%', [1, 1]],
    [0, '1', []],
  ])('%i instances by %s', (count, size, sizes) => {
    expect(batchSizes(count, size)).toEqual(sizes);
  });

  it('covers every instance exactly once', () => {
    const steps = fc.array(
      fc.oneof(
        fc.integer({ min: 1, max: 9 }).map(String),
        fc.integer({ min: 1, max: 100 }).map((n) => `${n}%`),
      ),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), steps, (count, parts) => {
        const sizes = batchSizes(count, parts.join(','));
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(count);
        expect(sizes.every((size) => size > 0)).toBe(true);
        expect(batchOf(count - 1, sizes)).toBe(sizes.length - 1);
      }),
    );
  });

  it.each(['0', '-1', 'x', '', '200%', '1,,2'])('refuses %j', (size) => {
    expect(() => batchSizes(3, size)).toThrow('neither');
  });
});

describe('failureBudget', () => {
  it.each([
    [10, '0', 0],
    [10, '3', 3],
    [10, '25%', 2],
  ])('of %i instances with %s', (count, budget, allowed) => {
    expect(failureBudget(count, budget)).toBe(allowed);
  });
});
