import { freePort, isPortFree } from './free-port.js';
import { readIfThere, writePrivately } from './kept-file.js';
import { poll } from './poll.js';

/**
 * The port a server had the last time, so that addresses written down stay right; another one if
 * somebody else has taken it meanwhile.
 */
export async function keptPort(file: string): Promise<number> {
  const kept = Number(await readIfThere(file));
  if (Number.isInteger(kept) && kept > 0 && kept < 65536 && (await isPortFree(kept))) return kept;
  const port = await freePort();
  await writePrivately(file, `${port}\n`);
  return port;
}

/** Longer than this no child of a killed server lives. Milliseconds. */
const RELEASE_MS = 10_000;

/**
 * The port of a server that is started again: waits while children of a killed one still listen on
 * it. Throws where somebody else has taken it.
 */
export async function samePort(port: number): Promise<number> {
  const isFree = await poll(RELEASE_MS, async () => (await isPortFree(port)) || undefined);
  if (!isFree) throw new Error(`Somebody else listens on port ${port} of 127.0.0.1 now`);
  return port;
}
