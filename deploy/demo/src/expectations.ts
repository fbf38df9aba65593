import type { DeploymentStatus } from '@floy/contracts';
import type { Sighting } from './sightings.js';

/** What a deployment of the demo has to come to. */
export interface Expectation {
  readonly version: string;
  readonly status: DeploymentStatus;
  /** The version that all hosts run afterwards. */
  readonly live: string;
  /** What the reason of a failing instance has to say; left out where none may fail. */
  readonly failure?: RegExp;
}

/** What it came to. */
export interface Outcome {
  readonly status: DeploymentStatus;
  readonly message: string;
  /** Why instances failed, by their names. */
  readonly failures: ReadonlyMap<string, string>;
  readonly sightings: readonly Sighting[];
}

/** Everything that is not as it should be, in words. */
export function differences(expected: Expectation, { sightings, ...seen }: Outcome): string[] {
  const found: string[] = [];
  const { version, status, live, failure } = expected;
  if (seen.status !== status) {
    const why = seen.message === '' ? '' : ` (${seen.message})`;
    found.push(`the deployment of ${version} ended as ${seen.status} instead of ${status}${why}`);
  }
  const reasons = [...seen.failures];
  for (const [name, reason] of failure === undefined ? reasons : []) {
    found.push(`${version} failed on ${name}: ${reason}`);
  }
  if (failure !== undefined && !reasons.some(([, reason]) => failure.test(reason))) {
    const said = reasons.map(([name, reason]) => `${name}: ${reason}`).join('; ') || 'none failed';
    found.push(`no host refused ${version} for its health (${said})`);
  }
  if (sightings.length === 0) found.push('there is no host');
  for (const { name, floySays, hostSays } of sightings) {
    if (hostSays !== live) found.push(`${name} answers ${hostSays} instead of ${live}`);
    if (floySays !== live) found.push(`Floy says ${floySays} of ${name} instead of ${live}`);
  }
  return found;
}
