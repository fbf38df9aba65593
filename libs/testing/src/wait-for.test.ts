import { describe, expect, it } from '@jest/globals';
import { waitFor } from './wait-for.js';

describe('waiting for a condition', () => {
  it('answers the first truthy answer', async () => {
    let looks = 0;
    const answer = await waitFor('three', () => {
      looks += 1;
      if (looks === 1) throw new Error('not yet');
      return looks === 3 && looks;
    });
    expect(answer).toBe(3);
  });

  it('says what it waited for and what it saw last', async () => {
    const options = { timeoutMs: 30, everyMs: 5 };
    await expect(waitFor('Godot', () => undefined, options)).rejects.toThrow(
      /^Waited 0\.0 s in vain for Godot; the last answer was undefined$/,
    );
    await expect(
      waitFor('Godot', () => Promise.reject(new Error('no such road')), options),
    ).rejects.toThrow('no such road');
  });
});
