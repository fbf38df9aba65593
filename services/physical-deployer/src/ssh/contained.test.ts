import { describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = (name: string): string =>
  fileURLToPath(new URL(`../../testing/programs/${name}.mjs`, import.meta.url));

function start(name: string, ...words: (string | number)[]) {
  const child = spawn(process.execPath, [program(name), ...words.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const firstLine = once(createInterface({ input: child.stdout }), 'line').then(
    ([line]: string[]) => line ?? '',
  );
  return { firstLine, stop: () => child.kill() };
}

describe('what goes wrong on one connection', () => {
  it.each([1, 90_000])(
    'never reaches the process: hosts that send garbage, end or fall silent at every phase, given up at every phase, from seed %i',
    async (seed) => {
      const hosts = start('hostile-hosts', seed);
      try {
        const client = start('give-up-everywhere', await hosts.firstLine, seed, 300);
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
