import { describe, expect, it } from '@jest/globals';
import { startProgram } from '../../testing/programs.js';

describe('what goes wrong on one connection', () => {
  it.each([1, 90_000])(
    'never reaches the process: hosts that send garbage, end or fall silent at every phase, given up at every phase, from seed %i',
    async (seed) => {
      const hosts = startProgram('hostile-hosts', seed);
      try {
        const client = startProgram('give-up-everywhere', await hosts.firstLine, seed, 300);
        const seen = JSON.parse(await client.firstLine) as {
          uncaught: string[];
          ends: Record<string, number>;
          open: string[];
        };
        expect(seen.uncaught).toEqual([]);
        expect(seen.open).toEqual([]);
        // The phases were reached: hosts that were refused, that broke, and that did it all.
        const ends = Object.keys(seen.ends);
        expect(ends).toEqual(expect.arrayContaining(['given up', 'fulfilled']));
        expect(ends.filter((end) => end.startsWith('Could not connect')).length).toBeGreaterThan(4);
      } finally {
        hosts.stop();
      }
    },
    60_000,
  );
});
