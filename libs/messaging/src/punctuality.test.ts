import { describe, expect, it } from '@jest/globals';
import { createPunctuality, lateMs } from './punctuality.js';

describe('punctuality', () => {
  let now = 0;
  const start = () => {
    now = 100_000;
    return createPunctuality(() => now);
  };
  const beat = (punctuality: ReturnType<typeof start>, times: number, everyMs = 250) => {
    for (let time = 0; time < times; time += 1) {
      now += everyMs;
      punctuality.answered();
    }
  };

  it('is nothing before the first beat, and grows with every one', () => {
    const punctuality = start();
    expect(punctuality.punctualMs()).toBe(0);
    beat(punctuality, 41);
    expect(punctuality.punctualMs()).toBe(10_000);
    expect(punctuality.lateSince(now - 9000)).toBe(false);
  });

  it('ends with a beat that is overdue, also before it is answered', () => {
    const punctuality = start();
    beat(punctuality, 40);
    const before = now;
    now += lateMs + 1;
    expect(punctuality.punctualMs()).toBe(0);
    expect(punctuality.lateSince(before)).toBe(true);
    punctuality.answered();
    const after = now;
    beat(punctuality, 4);
    expect(punctuality.lateSince(before)).toBe(true);
    expect(punctuality.lateSince(after + 1)).toBe(false);
    expect(punctuality.punctualMs()).toBe(1000);
  });

  it('ends with a connection that broke, however soon the next is there', () => {
    const punctuality = start();
    beat(punctuality, 40);
    const before = now;
    punctuality.broke();
    expect(punctuality.lateSince(before)).toBe(true);
    beat(punctuality, 1);
    expect(punctuality.lateSince(before)).toBe(true);
    expect(punctuality.punctualMs()).toBe(0);
  });
});
