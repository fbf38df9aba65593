import { join } from 'node:path';
import { lockHome } from '@floy/local-servers/home-lock';
import { runFolder } from './test-run.js';
import { waitFor } from './wait-for.js';

/** Runs `work` while no other test file of this run does so under the same name. */
export async function onceAtATime<T>(name: string, work: () => Promise<T>): Promise<T> {
  const lock = await waitFor(
    `another test file to be done with ${name}`,
    () => lockHome(join(runFolder(), name)),
    { timeoutMs: 120_000 },
  );
  try {
    return await work();
  } finally {
    await lock.release();
  }
}
