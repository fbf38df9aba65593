import { prune } from '../commands/prune.js';
import type { Hosts } from './hosts.js';
import { type HostWork, lockOf } from './host-work.js';
import { MOST_RELEASES } from './observe-host.js';
import { runScript } from './run-script.js';
import { withHost } from './with-host.js';

/** Removes release folders but the current one and `keepDirs`, and what only they needed. Returns which. */
export function pruneHost(
  hosts: Hosts,
  work: HostWork,
  deployPath: string,
  keepDirs: readonly string[],
): Promise<string[]> {
  const script = prune(lockOf(work, deployPath), { dirs: keepDirs, work: work.id });
  return withHost(hosts.pool, work, async (client) => {
    const removed: string[] = [];
    await runScript(client, script, {
      signal: work.signal,
      timeoutMs: 120_000,
      marks: { removed: MOST_RELEASES },
      onMark: (_word, rest) => removed.push(rest),
    });
    return removed;
  });
}
