import { CouldNotTellError } from '@floy/domain';
import { receiveFile } from '../commands/receive-file.js';
import type { Hosts } from './hosts.js';
import { checkedPath, type HostReach, type ReleaseArtifact } from './host-work.js';
import { runScript } from './run-script.js';
import { withHost } from './with-host.js';

/** Puts a file on a host under its final name only when it arrived whole; parents are made. */
export async function uploadToHost(
  hosts: Hosts,
  reach: HostReach,
  file: ReleaseArtifact,
  remotePath: string,
): Promise<void> {
  const script = receiveFile(checkedPath(remotePath), file);
  await withHost(hosts.pool, reach, async (client) => {
    let arrived = false;
    await runScript(client, script, {
      signal: reach.signal,
      timeoutMs: 60_000 + file.size / 8,
      input: file,
      onMark: (word) => (arrived ||= word === 'uploaded'),
    });
    if (!arrived) throw new CouldNotTellError(`${remotePath} did not arrive`);
  });
}
