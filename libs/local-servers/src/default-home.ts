import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { firstClosedFolder, serverUser } from './server-user.js';

/**
 * The data folder used when FLOY_HOME is not set: `.floy` in the clone; for root in a clone that
 * others cannot reach (below `/root`, say), where Postgres could not run, one of its own below
 * `/var/lib/floy`.
 */
export async function defaultHome(clone: string): Promise<string> {
  if (process.getuid?.() !== 0) return join(clone, '.floy');
  if ((await firstClosedFolder(await serverUser(), clone)) === undefined) {
    return join(clone, '.floy');
  }
  const mark = createHash('sha256').update(clone).digest('hex').slice(0, 8);
  return join('/var/lib/floy', `${basename(clone)}-${mark}`);
}
