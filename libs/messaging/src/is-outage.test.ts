import { statementLimitMs } from '@floy/database/database';
import { SlowStatementError } from '@floy/database/outages';
import { UnavailableError } from '@floy/domain';
import { expect, it } from '@jest/globals';
import { isOutage } from './outages.js';

/** Whose last late beat was so long ago. Milliseconds. */
const keeper = (agoMs: number) => ({
  lateSince: (time: number) => performance.now() - agoMs >= time,
});
const slow = new SlowStatementError(new Error('canceling statement'));

it('a beat that was late beside a slow statement excuses it', () => {
  expect(isOutage(slow, keeper(1000), performance.now() - 60_000)).toBe(true);
});

it('one that was late earlier in the same work does not', () => {
  expect(isOutage(slow, keeper(statementLimitMs + 1000), performance.now() - 60_000)).toBe(false);
});

it('one that was late before the work began does not', () => {
  expect(isOutage(slow, keeper(1000), performance.now())).toBe(false);
});

it('only an adapter says that something was away', () => {
  expect(isOutage(new UnavailableError('away'), keeper(Infinity), 0)).toBe(true);
  expect(isOutage(new Error('ECONNREFUSED'), keeper(0), 0)).toBe(false);
});
