import { freePort, isPortFree } from './free-port.js';
import { readIfThere, writePrivately } from './kept-file.js';

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
