import { prune } from '../commands/prune.js';
import type { Hosts } from './hosts.js';
import { type HostWork, lockOf } from './host-work.js';
import { runScript } from './run-script.js';
import { withHost } from './with-host.js';

/**
 * Removes release folders other than the current one, `keepDirs`, and the newest `keepReleases`,
 * and what only they needed. Returns the removed ones.
 */
export function pruneHost(
  hosts: Hosts,
  work: HostWork,
  deployPath: string,
  keepDirs: readonly string[],
  keepReleases: number,
): Promise<string[]> {
  const kept = { dirs: keepDirs, newest: keepReleases, work: work.id };
  const script = prune(lockOf(work, deployPath), kept);
  return withHost(hosts.pool, work, async (client) => {
    const removed: string[] = [];
    await runScript(client, script, {
      signal: work.signal,
      timeoutMs: 120_000,
      onMark: (word, rest) => word === 'removed' && removed.push(rest),
    });
    return removed;
  });
}
