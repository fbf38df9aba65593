import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { narrowSignal } from './narrowed-signal.js';

describe('a narrowed signal', () => {
  it('ends with the outer one, or for its own reason, whichever is first', () => {
    const outer = new AbortController();
    const [one, another] = [narrowSignal(outer.signal), narrowSignal(outer.signal)];
    one.abort('own');
    outer.abort('outer');
    expect([one.signal.reason, another.signal.reason]).toEqual(['own', 'outer']);
    expect(narrowSignal(outer.signal).signal.reason).toBe('outer');
  });

  it('ends after a time, of which the last one said counts', async () => {
    const within = narrowSignal(undefined);
    within.abortAfter(1, 'first');
    within.abortAfter(5, 'second');
    await once(within.signal, 'abort');
    expect(within.signal.reason).toBe('second');
  });

  it('does not end any more once it was released', async () => {
    const outer = new AbortController();
    const [released, held] = [narrowSignal(outer.signal), narrowSignal(outer.signal)];
    released.abortAfter(1, 'late');
    released.release();
    held.abortAfter(10, 'later');
    await once(held.signal, 'abort');
    outer.abort('outer');
    expect(released.signal.aborted).toBe(false);
  });
});
