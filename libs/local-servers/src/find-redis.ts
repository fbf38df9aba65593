import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findPrograms } from './find-program.js';

const run = promisify(execFile);

/** A Redis program found on this machine. */
export interface RedisBinary {
  readonly path: string;
  readonly version: string;
}

const NAMES = ['redis-server', 'valkey-server'];
const OLDEST = [6, 2] as const;

/**
 * The first redis-server (or valkey-server) on the search path that is recent enough for the queue
 * (6.2); undefined when there is none.
 *
 * @param searchPath folders as in the variable PATH
 */
export async function findRedis(searchPath: string): Promise<RedisBinary | undefined> {
  for (const path of NAMES.flatMap((name) => findPrograms(name, searchPath))) {
    const version = await versionOf(path);
    if (version !== undefined && isRecent(version)) return { path, version };
  }
  return undefined;
}

async function versionOf(path: string): Promise<string | undefined> {
  const answer = await run(path, ['--version'], { env: {}, timeout: 5000 }).catch(() => undefined);
  return /v=(\d+\.\d+\.\d+)/.exec(answer?.stdout ?? '')?.[1];
}

function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
