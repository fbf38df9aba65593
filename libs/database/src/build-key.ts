import { createHash } from 'node:crypto';
import { buildEnvironment, type BuildSettings } from '@floy/contracts';
import type { Sealer } from '@floy/secrets/sealing';
import { buildNamesOf, type Snapshot } from './snapshot.js';

/**
 * What a build is known by: all that it sees, filled in. The same application at the same version is
 * not built again where nothing of that differs, in whichever environment. Secrets go in as keyed
 * hashes, so that the key tells nobody anything about them. A `package_url` is filled already.
 */
export function buildKeyOf(
  sealer: Sealer,
  snapshot: Snapshot,
  application: Snapshot['applications'][number],
  settings: BuildSettings,
): string {
  const hidden = (value: string) => sealer.fingerprint(value, 'build secrets');
  const inputs = {
    application: application.id,
    repository: application.repository,
    build: settings.buildCommand ?? null,
    artifact: settings.artifactPath ?? null,
    dockerfile: settings.dockerfile ?? null,
    args: sorted(settings.buildArgs),
    registry: settings.registry ?? null,
    package: settings.packageUrl ?? null,
    env: sorted(buildEnvironment(settings, buildNamesOf(snapshot, application))),
    secrets: sorted(settings.secrets).map(([name, value]) => [name, hidden(value)]),
  };
  return createHash('sha256').update(JSON.stringify(inputs)).digest('hex');
}

function sorted(values: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
}
