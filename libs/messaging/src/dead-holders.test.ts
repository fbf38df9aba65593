import { describe, expect, it } from '@jest/globals';
import { leaseMs } from '@floy/database/leases';
import { createDeadHolders } from './dead-holders.js';

describe('a holder without its session lock', () => {
  const seen = (seenAt: number, { expiresAt = 'later', upMs = 1e6, holder = 'one' } = {}) => [
    { holder, expiresAt, seenAt, upMs },
  ];

  it('is dead after a second, not before', () => {
    const holders = createDeadHolders();
    expect(holders.nextLookMs()).toBeUndefined();
    expect(holders.judge(seen(5000))).toEqual([]);
    expect(holders.judge(seen(5750))).toEqual([]);
    expect(holders.nextLookMs()).toBe(250);
    expect(holders.judge(seen(5999))).toEqual([]);
    expect(holders.judge(seen(6000))).toEqual(seen(6000));
  });

  it('is not dead where it had the lock in between, or renewed', () => {
    const holders = createDeadHolders();
    holders.judge(seen(5000));
    holders.judge([]);
    expect(holders.judge(seen(6100))).toEqual([]);
    expect(holders.judge(seen(6900, { expiresAt: 'even later' }))).toEqual([]);
    expect(holders.judge(seen(7300, { expiresAt: 'even later' }))).toEqual([]);
    expect(holders.judge(seen(7900, { expiresAt: 'even later' }))).toHaveLength(1);
  });

  it('is not dead where nobody looked in between', () => {
    const holders = createDeadHolders();
    holders.judge(seen(5000));
    holders.forget();
    expect(holders.judge(seen(7000))).toEqual([]);
  });

  it('is not dead for the length of a lease after Postgres has started', () => {
    const holders = createDeadHolders();
    holders.judge(seen(5000, { upMs: leaseMs - 3000 }));
    expect(holders.judge(seen(7000, { upMs: leaseMs - 1000 }))).toEqual([]);
    expect(holders.judge(seen(8000, { upMs: leaseMs }))).toHaveLength(1);
  });

  it('is judged by itself', () => {
    const holders = createDeadHolders();
    holders.judge(seen(5000));
    const both = [...seen(6000), ...seen(6000, { holder: 'other' })];
    expect(holders.judge(both).map(({ holder }) => holder)).toEqual(['one']);
  });
});
