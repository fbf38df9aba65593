import type { HostSettings } from '@floy/contracts';
import { listReleases, observe } from '../commands/observe.js';
import type { Hosts } from './hosts.js';
import { checkedPath, type HostReach } from './host-work.js';
import { runScript } from './run-script.js';
import { withHost } from './with-host.js';

/** No host keeps more of one service, as those that are not needed are removed. */
export const MOST_RELEASES = 10_000;

/** What was seen on a host. */
export interface HostSeen {
  /** The release folder that `current` points to. */
  readonly current: string | null;
  /** The release whose environment a service would start with, if that is another one. */
  readonly mixed: string | null;
  /** Whether the status command, run there, ended with 0. */
  readonly running: boolean;
}

/** Looks at a host, changing nothing and asking nobody's leave. */
export function observeHost(
  hosts: Hosts,
  reach: HostReach,
  settings: Pick<HostSettings, 'deployPath' | 'statusCommand'>,
): Promise<HostSeen> {
  const script = observe(checkedPath(settings.deployPath), settings.statusCommand);
  return withHost(hosts.pool, reach, async (client) => {
    let current: string | null = null;
    let mixed: string | null = null;
    let code = '';
    await runScript(client, script, {
      signal: reach.signal,
      marks: { current: 1, mixed: 1, status: 1 },
      onMark(word, rest) {
        if (word === 'current') current = rest;
        else if (word === 'mixed') mixed = rest;
        else if (word === 'status') code = rest;
      },
    });
    return { current, mixed, running: code === '0' };
  });
}

/** The release folders of a host that are whole. */
export function releasesOn(hosts: Hosts, reach: HostReach, deployPath: string): Promise<string[]> {
  const script = listReleases(checkedPath(deployPath));
  return withHost(hosts.pool, reach, async (client) => {
    const releases: string[] = [];
    await runScript(client, script, {
      signal: reach.signal,
      marks: { release: MOST_RELEASES },
      onMark: (_word, rest) => releases.push(rest),
    });
    return releases;
  });
}
