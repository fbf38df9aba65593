import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startServiceProcess, type LogLine } from '@floy/testing/processes';
import { waitFor } from '@floy/testing/wait-for';

/** A `standalone` at work, as the only process of Floy's own. */
export interface FloyProcess {
  readonly pid: number;
  /** Everything that it has logged so far. */
  readonly log: readonly LogLine[];
  /** The gateway's base URL. */
  readonly address: string;
  /** From the start of the process to an address and `/readyz` that says ok. Seconds. */
  readonly readySeconds: number;
  /** Asks it to stop and waits until it has, servers of its own included. */
  stop(): Promise<void>;
}

const LOOK_MS = 5;

/** Starts Floy's build on a data folder and waits until it is ready. */
export async function startFloy(
  home: string,
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly nodeOptions?: readonly string[];
  } = {},
): Promise<FloyProcess> {
  const began = performance.now();
  const child = startServiceProcess({
    name: 'standalone',
    env: { FLOY_HOME: home, FLOY_PORT: '0', ...options.env },
    nodeOptions: options.nodeOptions,
  });
  try {
    const ready = waitFor('Floy to be ready', () => readyAddress(home), {
      timeoutMs: 60_000,
      everyMs: LOOK_MS,
    });
    const ended = child.exited().then((how) => {
      throw new Error(`Floy ended with ${how}: ${JSON.stringify(child.log.at(-1))}`);
    });
    const address = await Promise.race([ready, ended]);
    ended.catch(() => undefined);
    const readySeconds = (performance.now() - began) / 1000;
    return {
      pid: child.pid,
      log: child.log,
      address,
      readySeconds,
      stop: async () => {
        const how = await child.stop();
        if (how !== 0) throw new Error(`Floy did not stop in order: ${how}`);
      },
    };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

/** What the address file says, once what is there says that it is ready. */
async function readyAddress(home: string): Promise<string | false> {
  const address = (await readFile(join(home, 'address'), 'utf8')).trim();
  return (await fetch(`${address}/readyz`)).ok && address;
}
