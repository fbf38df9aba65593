import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A Redis program found on this machine. */
export interface RedisBinary {
  readonly path: string;
  readonly version: string;
}

const NAMES = ['redis-server', 'valkey-server'];
// Administrators' folders are often missing from an ordinary user's PATH.
const MORE_FOLDERS = ['/usr/local/bin', '/usr/bin', '/usr/sbin', '/opt/homebrew/bin'];
const OLDEST = [6, 2] as const;

/**
 * The first redis-server (or valkey-server) on the search path that is recent enough for the queue
 * (6.2); undefined when there is none.
 *
 * @param searchPath folders as in the variable PATH
 */
export async function findRedis(searchPath: string): Promise<RedisBinary | undefined> {
  const folders = new Set([...searchPath.split(delimiter).filter(Boolean), ...MORE_FOLDERS]);
  for (const name of NAMES) {
    for (const folder of folders) {
      const path = join(folder, name);
      const version = await versionOf(path);
      if (version !== undefined && isRecent(version)) return { path, version };
    }
  }
  return undefined;
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK);
    const { stdout } = await run(path, ['--version'], { env: {}, timeout: 5000 });
    return /v=(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
