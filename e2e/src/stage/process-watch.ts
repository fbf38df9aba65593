import { readdirSync, readFileSync } from 'node:fs';
import { sentinelsIn, type Sentinel } from './sentinels.js';

/** A process that was seen with a secret. */
export interface Sighting {
  readonly sentinel: string;
  readonly where: 'arguments' | 'environment';
  readonly pid: number;
  readonly command: string;
  readonly variables: ReadonlySet<string>;
}

/** Looks at the arguments and the environment of every process of the machine, again and again. */
export interface ProcessWatch {
  readonly sightings: readonly Sighting[];
  stop(): void;
}

/** How often all processes are looked at: a command of the test lives longer. Milliseconds. */
const everyMs = 15;

export function watchProcesses(sentinels: readonly Sentinel[]): ProcessWatch {
  const found = new Map<string, Sighting>();
  const look = (): void => {
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const command = read(`/proc/${entry}/cmdline`);
      const environment = read(`/proc/${entry}/environ`);
      for (const [where, text] of Object.entries({ arguments: command, environment })) {
        for (const sentinel of sentinelsIn(text, sentinels)) {
          const sighting = {
            sentinel,
            where: where as Sighting['where'],
            pid: Number(entry),
            command: command.replaceAll('\0', ' ').trim(),
            variables: new Set(environment.split('\0').map((line) => line.split('=')[0] ?? '')),
          };
          found.set(`${entry} ${sighting.command} ${where} ${sentinel}`, sighting);
        }
      }
    }
  };
  const timer = setInterval(look, everyMs);
  return {
    get sightings() {
      return [...found.values()];
    },
    stop: () => clearInterval(timer),
  };
}

/** A process that has ended meanwhile has nothing any more. */
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
