import { CouldNotTellError } from '@floy/domain';
import type { StepKey } from '../commands/journal.js';
import { stopSteps } from '../commands/stop-steps.js';
import type { ConnectionPool } from '../ssh/connection-pool.js';
import type { Hosts } from './hosts.js';
import { type HostWork, lockOf } from './host-work.js';
import { narrowSignal } from '@floy/service-kit/narrowed-signal';
import { saidText } from '../ssh/said-text.js';
import { runScript } from './run-script.js';
import { withHost } from './with-host.js';

/** Steps live one at a time; a few more where a host was restored or its clock set back. */
const MOST_STEPS = 100;
/** The most that stopping one target takes. */
const STOP_MS = 60_000;

/**
 * Raises the epoch on the host, so that no earlier worker can begin a step there any more, and ends
 * every step that lives.
 *
 * @throws CouldNotTellError when that was not seen within a minute
 */
export async function stopHost(hosts: Hosts, work: HostWork, deployPath: string): Promise<void> {
  const late = new CouldNotTellError('What runs on the host did not stop in a minute');
  const within = narrowSignal(work.signal);
  within.abortAfter(STOP_MS, late);
  try {
    await endSteps(hosts.pool, { ...work, signal: within.signal }, deployPath);
  } finally {
    within.release();
  }
}

/**
 * Ends every step that lives on a host, or only one.
 *
 * @throws CouldNotTellError when something of them is left
 */
export async function endSteps(
  pool: ConnectionPool,
  work: HostWork,
  deployPath: string,
  only?: StepKey,
): Promise<void> {
  const script = stopSteps(lockOf(work, deployPath), only);
  const alive = await withHost(pool, work, async (client) => {
    const left: string[] = [];
    await runScript(client, script, {
      signal: work.signal,
      marks: { stopped: MOST_STEPS, alive: MOST_STEPS },
      onMark(word, rest) {
        if (word === 'stopped') work.log(`Stopped ${saidText(rest)}`);
        else left.push(saidText(rest));
      },
    });
    return left;
  });
  if (alive.length === 0) return;
  throw new CouldNotTellError(`${alive.join(', ')} lives on though it was killed`);
}
