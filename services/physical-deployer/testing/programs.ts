import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A program of `programs/` as a process of its own, so that what it does to its process is seen. */
export interface TestProgram {
  /** The first line that it prints: a port, or a report as JSON. */
  readonly firstLine: Promise<string>;
  stop(): void;
}

const LONGEST_MS = 120_000;

/** Starts one; it works with the service's build. */
export function startProgram(name: string, ...words: (string | number)[]): TestProgram {
  const file = fileURLToPath(new URL(`./programs/${name}.mjs`, import.meta.url));
  const child = spawn(process.execPath, [file, ...words.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // A test that is ended by its time limit stops nothing.
    timeout: LONGEST_MS,
  });
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'close').then(([code]) => {
    throw new Error(`${name} ended with ${String(code)} and said nothing`);
  });
  const said = once(lines, 'line').then(([line]: string[]) => line ?? '');
  ended.catch(() => undefined);
  return { firstLine: Promise.race([said, ended]), stop: () => void child.kill() };
}
