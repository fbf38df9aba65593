import { waitFor } from '@floy/testing/wait-for';
import { describe, expect, it } from '@jest/globals';
import { createTurns } from './turns.js';

const patient = { atOnce: 1, lookMs: 60_000, longestMs: 60_000, isSpare: () => false };

describe('turns', () => {
  it('go to each group in turn, however many of one wait', async () => {
    const turns = createTurns(patient);
    const order: string[] = [];
    const first = await turns.take('many');
    const all = ['many 1', 'many 2', 'many 3', 'one 1'].map(async (name) => {
      const end = await turns.take(name.slice(0, -2));
      order.push(name);
      end();
    });
    expect(turns.waiting()).toBe(4);
    first();
    await Promise.all(all);
    expect(order).toEqual(['many 1', 'one 1', 'many 2', 'many 3']);
  });

  it('are not lost by who gives up waiting, and given back once', async () => {
    const turns = createTurns(patient);
    const end = await turns.take('a');
    const giveUp = new AbortController();
    const given = turns.take('b', giveUp.signal);
    const next = turns.take('c');
    giveUp.abort(new Error('given up'));
    await expect(given).rejects.toThrow('given up');
    await expect(turns.take('d', giveUp.signal)).rejects.toThrow('given up');
    end();
    end();
    const endNext = await next;
    let third = false;
    const last = turns.take('e').then(() => (third = true));
    await new Promise(setImmediate);
    expect(third).toBe(false);
    endNext();
    await last;
  });

  it('end by themselves where a host is far away or says nothing', async () => {
    let looks = 0;
    const isSpare = (): boolean => (looks += 1) > 3;
    const turns = createTurns({ ...patient, lookMs: 10, isSpare });
    await turns.take('a');
    let begun = false;
    void turns.take('a').then(() => (begun = true));
    await waitFor('the next turn', async () => begun);
    expect(looks).toBeGreaterThan(3);
  });

  it('end by themselves on a busy machine too, after a time', async () => {
    const turns = createTurns({ ...patient, lookMs: 10, longestMs: 30 });
    await turns.take('a');
    let begun = false;
    void turns.take('a').then(() => (begun = true));
    await waitFor('the next turn', async () => begun);
  });
});
