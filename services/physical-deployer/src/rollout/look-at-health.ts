import { lookAtHealth } from '../commands/observe.js';
import { quoteTail } from './quote-tail.js';
import type { Hosts } from './hosts.js';
import type { HostRelease, HostWork } from './host-work.js';
import { httpHealth } from './http-health.js';
import { runScript } from './run-script.js';
import { saidText } from '../ssh/said-text.js';
import { withHost } from './with-host.js';

/** What one look at a host has shown. */
export interface HealthSeen {
  readonly healthy: boolean;
  /** Why not, for people. */
  readonly reason: string;
}

/** What a look has to know of a release. */
export type LookedAt = Pick<HostRelease, 'releaseDir' | 'version' | 'settings'>;

/** Much more than is quoted: a secret that was cut here is not shown. Characters. */
const OUTPUT_KEPT = 16 * 1024;
/** No answer over HTTP is waited for longer. */
const ANSWER_MS = 5000;
const HEALTHY: HealthSeen = { healthy: true, reason: '' };

/** What a look at the health of a release asks for, by the keys of its settings. */
export function askedOf({ settings }: Pick<HostRelease, 'settings'>): string {
  const { url, from, command } = settings.health;
  const asked = ['current', 'status_command'];
  if (command !== undefined) asked.push('health_check_command');
  if (url !== undefined) asked.push(`${url} from the ${from}`);
  return asked.join(', ');
}

/** Looks once whether the release is the current one, runs, and answers well. */
export async function seeHealth(
  hosts: Hosts,
  work: HostWork,
  release: LookedAt,
): Promise<HealthSeen> {
  const { settings, releaseDir, version } = release;
  const script = lookAtHealth({
    deployPath: settings.deployPath,
    releaseDir,
    version,
    statusCommand: settings.statusCommand,
    healthCommand: settings.health.command,
  });
  return withHost(hosts.pool, work, async (client) => {
    const said = new Map<string, { rest: string; output: string }>();
    let output = '';
    await runScript(client, script, {
      signal: work.signal,
      marks: { current: 1, environment: 1, status: 1, health: 1 },
      onOutput: (chunk) => (output = (output + chunk.toString('utf8')).slice(-OUTPUT_KEPT)),
      onMark(word, rest) {
        said.set(word, { rest, output });
        output = '';
      },
    });
    for (const [word, link] of [
      ['current', 'current'],
      ['environment', '.floy/env/current'],
    ] as const) {
      const pointed = said.get(word)?.rest ?? '';
      if (pointed === releaseDir) continue;
      const where = saidText(pointed) || 'nothing';
      return unhealthy(`${link} points to ${where} instead of ${releaseDir}`);
    }
    for (const [word, name] of [
      ['status', 'status_command'],
      ['health', 'health_check_command'],
    ] as const) {
      const one = said.get(word);
      if (one === undefined) {
        if (word === 'health' && settings.health.command === undefined) continue;
        return unhealthy(`${name} was not run`);
      }
      if (one.rest === '0') continue;
      const how =
        one.rest === '124' ? 'did not end in time' : `ended with exit code ${saidText(one.rest)}`;
      return unhealthy(`${name} ${how}${quoteTail(work.redactor.redact(one.output))}`);
    }
    const { url, from } = settings.health;
    if (url === undefined) return HEALTHY;
    const reason = await httpHealth(url, from === 'host' ? client : undefined, {
      answerMs: Math.min(ANSWER_MS, settings.health.timeoutSeconds * 1000),
      signal: work.signal,
    });
    return reason === undefined ? HEALTHY : unhealthy(reason);
  });
}

function unhealthy(reason: string): HealthSeen {
  return { healthy: false, reason };
}
