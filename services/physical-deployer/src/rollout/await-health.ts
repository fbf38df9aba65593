import { VerdictError } from '@floy/domain';
import { setTimeout as delay } from 'node:timers/promises';
import type { Hosts } from './hosts.js';
import type { HostRelease, HostWork } from './host-work.js';
import { askedOf, type HealthSeen, type LookedAt, seeHealth } from './look-at-health.js';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;
/** So long a service that was healthy may answer badly before it counts as sick. Seconds. */
const RECOVER_SECONDS = 3;

/**
 * Looks at a host until it is healthy and has stayed so for the asked time.
 *
 * @throws VerdictError with the last reason when it was not in time, or did not stay so
 */
export async function awaitHealth(
  hosts: Hosts,
  work: HostWork,
  release: HostRelease,
): Promise<void> {
  const { timeoutSeconds, minHealthySeconds } = release.settings.health;
  const { host, port } = work.connection;
  const look = loggedLooks(hosts, work, release);
  await becomeHealthy(look, work, timeoutSeconds, ` on ${host}:${port} (health_check_timeout)`);
  let seen: HealthSeen;
  const healthySince = performance.now();
  while (seconds(healthySince) < minHealthySeconds) {
    const left = (minHealthySeconds - seconds(healthySince)) * 1000;
    await pauseFor(Math.min(LONGEST_PAUSE_MS, left), work.signal);
    seen = await look();
    if (!seen.healthy) {
      const after = Math.round(seconds(healthySince));
      throw verdict(`healthy, but no longer after ${after} of ${minHealthySeconds} s`, seen);
    }
  }
}

/**
 * Looks again at a host that was healthy before: one good look within a few seconds will do.
 *
 * @throws VerdictError with the last reason when there was none
 */
export async function stillHealthy(hosts: Hosts, work: HostWork, release: LookedAt): Promise<void> {
  const { timeoutSeconds } = release.settings.health;
  const look = loggedLooks(hosts, work, release);
  await becomeHealthy(look, work, Math.min(RECOVER_SECONDS, timeoutSeconds), '');
}

async function becomeHealthy(
  look: () => Promise<HealthSeen>,
  work: HostWork,
  timeoutSeconds: number,
  where: string,
): Promise<void> {
  const began = performance.now();
  let pause = FIRST_PAUSE_MS;
  let seen: HealthSeen;
  while (!(seen = await look()).healthy) {
    if (seconds(began) >= timeoutSeconds) {
      throw verdict(`not healthy within ${timeoutSeconds} s${where}`, seen);
    }
    // The last look is at the deadline, not up to a pause after it.
    await pauseFor(Math.min(pause, (timeoutSeconds - seconds(began)) * 1000), work.signal);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

/** Looks at the health; each look is a line of the deploy log. */
function loggedLooks(hosts: Hosts, work: HostWork, release: LookedAt) {
  const began = performance.now();
  let looks = 0;
  let before: string | undefined;
  return async (): Promise<HealthSeen> => {
    const seen = await seeHealth(hosts, work, release);
    looks += 1;
    const told = seen.healthy ? `healthy (${askedOf(release)})` : `not healthy: ${seen.reason}`;
    work.log(
      `health, look ${looks} after ${seconds(began).toFixed(1)} s: ${told === before ? 'the same' : told}`,
    );
    before = told;
    return seen;
  };
}

function seconds(since: number): number {
  return (performance.now() - since) / 1000;
}

function verdict(text: string, seen: HealthSeen): VerdictError {
  return new VerdictError(`${text}: ${seen.reason}`, { step: 'health', reason: seen.reason });
}

async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
}
