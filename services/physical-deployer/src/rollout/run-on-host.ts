import { CouldNotTellError } from '@floy/domain';
import { bounded } from '../commands/observe.js';
import type { Hosts } from './hosts.js';
import type { HostReach } from './host-work.js';

/** What a command left; the texts are the last 64 KiB of each stream. */
export interface CommandSeen {
  /** 124 when it was ended for its time. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command in the user's home folder. It is started once and never again: an unknown outcome
 * is the caller's to tell.
 */
export async function runOnHost(
  hosts: Hosts,
  reach: HostReach,
  command: string,
  options: { readonly timeoutSeconds: number },
): Promise<CommandSeen> {
  const { timeoutSeconds } = options;
  return hosts.pool.use(reach, async (client) => {
    const script = bounded(command, Math.max(1, Math.ceil(timeoutSeconds)));
    const { code, stdout, stderr } = await client.run(script, {
      signal: reach.signal,
      timeoutMs: timeoutSeconds * 1000 + 15_000,
    });
    if (Number.isNaN(code)) throw new CouldNotTellError('The host told no exit code');
    return { exitCode: code, stdout, stderr };
  });
}
