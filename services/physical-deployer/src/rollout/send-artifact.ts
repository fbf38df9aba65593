import { checkArchive } from '@floy/service-kit/check-archive';
import { Readable } from 'node:stream';
import { readReceived, RECEIVE_MARKS, type Received } from '../commands/receive.js';
import type { Hosts } from './hosts.js';
import type { HostReach, ReleaseArtifact } from './host-work.js';
import { runScript } from './run-script.js';
import { withHost } from './with-host.js';

/** The slowest upload that is waited for: 64 kbit/s, and a minute for everything else. */
const SLOWEST_BYTES_PER_MS = 8;
const PATIENCE_MS = 60_000;

/**
 * Runs a script that receives an artifact, or fetches it, where the host lacks it. Only what is sent
 * has to be there; it is looked into before anything of it reaches a host.
 *
 * @returns what the host said last
 */
export function sendArtifact(
  hosts: Hosts,
  reach: HostReach & { log?(line: string): void },
  artifact: ReleaseArtifact,
  script: string,
): Promise<Received | undefined> {
  const check = () =>
    hosts.checkOnce(artifact.sha256, () => checkArchive(artifact.open(), { linksOut: true }));
  async function* checked(): AsyncGenerator<Buffer> {
    await check();
    reach.log?.(`Sending ${artifact.size} bytes`);
    yield* artifact.open();
  }
  return withHost(hosts.pool, reach, async (client) => {
    let state: Received | undefined;
    const fetched = artifact.link !== undefined;
    if (fetched) await check();
    await runScript(client, script, {
      signal: reach.signal,
      timeoutMs: PATIENCE_MS + artifact.size / SLOWEST_BYTES_PER_MS,
      input: fetched
        ? undefined
        : { size: artifact.size, open: () => Readable.from(checked(), { objectMode: false }) },
      marks: RECEIVE_MARKS,
      onMark: (word) => (state = readReceived(word) ?? state),
    });
    return state;
  });
}
