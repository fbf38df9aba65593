import { CouldNotTellError } from '@floy/domain';
import { stopSteps } from '../commands/stop-steps.js';
import type { Hosts } from './hosts.js';
import { type HostWork, lockOf } from './host-work.js';
import { narrowSignal } from './narrowed-signal.js';
import { runScript } from './run-script.js';
import { withHost } from './with-host.js';

/** The most that stopping one target takes. */
const STOP_MS = 60_000;

/**
 * Raises the epoch on the host, so that no earlier worker can begin a step there any more, and ends
 * every step that lives.
 *
 * @throws CouldNotTellError when that was not seen within a minute
 */
export async function stopHost(hosts: Hosts, work: HostWork, deployPath: string): Promise<void> {
  const script = stopSteps(lockOf(work, deployPath));
  const late = new CouldNotTellError('What runs on the host did not stop in a minute');
  const within = narrowSignal(work.signal);
  within.abortAfter(STOP_MS, late);
  const { signal } = within;
  try {
    await withHost(hosts.pool, { ...work, signal }, (client) =>
      runScript(client, script, {
        signal,
        timeoutMs: STOP_MS,
        onMark: (word, rest) => word === 'stopped' && work.log(`Stopped ${rest}`),
      }),
    );
  } finally {
    within.release();
  }
}
