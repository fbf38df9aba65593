import { commandStep, switchStep } from '../commands/commands.js';
import { awaitHealth } from './await-health.js';
import type { Hosts } from './hosts.js';
import {
  checkedPath,
  checkedRelease,
  type HostRelease,
  type HostWork,
  type StepName,
} from './host-work.js';
import { seeHealth } from './look-at-health.js';
import { runStep, type Step } from './run-step.js';

/** What belongs to this host only and not to the release. */
export interface SwitchOptions {
  /** Whether this host runs `pre_switch_command` (with `run_once` only one does). */
  readonly runPreSwitch: boolean;
}

/**
 * Makes a staged release the running one: pre-switch, drain, switch and restart, health,
 * post-switch, undrain. Whatever of it was done before under the same work id is not done again.
 *
 * @throws VerdictError when a command said no or the host did not become healthy
 */
export async function switchHost(
  hosts: Hosts,
  work: HostWork,
  release: HostRelease,
  options: SwitchOptions,
): Promise<void> {
  const { settings, releaseDir, version } = checkedRelease(release);
  const deployPath = checkedPath(settings.deployPath);
  const place = { deployPath, releaseDir, version };
  const normalized = { ...release, settings: { ...settings, deployPath } };
  const folders = {
    release: `${deployPath}/releases/${releaseDir}`,
    current: `${deployPath}/current`,
  };
  const began = performance.now();
  const step = (
    name: StepName,
    script: string,
    more: Pick<Step, 'probe' | 'once' | 'command'> = {},
  ): Promise<string> => {
    const used = (performance.now() - began) / 1000;
    const timeoutSeconds = Math.max(1, Math.ceil(settings.timeoutSeconds - used));
    return runStep(hosts.pool, work, deployPath, { name, script, timeoutSeconds, ...more });
  };
  const command = async (
    name: StepName,
    where: 'release' | 'current',
    text: string | undefined,
    unknownEnd?: Pick<Step, 'once'>,
  ): Promise<void> => {
    if (text === undefined) return;
    const command = { key: `${name}_command`, folder: folders[where] };
    await step(name, commandStep(place, where, text), { ...unknownEnd, command });
  };

  if (options.runPreSwitch) {
    // A migration, say: whether half of one may be begun again is for people to tell.
    await command('pre_switch', 'release', settings.preSwitchCommand, { once: true });
  }
  await command('drain', 'current', settings.drainCommand);
  const commands = {
    restart: settings.restartCommand,
    stop: settings.stopCommand,
    status: settings.statusCommand,
  };
  await step('switch', switchStep(place, commands), {
    command: { key: 'restart_command', folder: folders.release },
    probe: async () => (await seeHealth(hosts, work, normalized)).healthy,
  });
  await awaitHealth(hosts, work, normalized);
  await command('post_switch', 'current', settings.postSwitchCommand);
  await command('undrain', 'current', settings.undrainCommand);
}
