import { createHash } from 'node:crypto';
import type { BuildSettings } from '@floy/contracts';
import type { Sealer } from '@floy/secrets/sealing';
import type { Snapshot } from './snapshot.js';

/**
 * What a build is known by: the same application at the same commit with the same settings is not
 * built again. Secrets go in as keyed hashes, so that the key tells nobody anything about them.
 */
export function buildKeyOf(
  sealer: Sealer,
  version: Snapshot['version'],
  applicationId: string,
  settings: BuildSettings,
): string {
  const hidden = (value: string) => sealer.fingerprint(value, 'build secrets');
  const inputs = {
    application: applicationId,
    repository: version.repository,
    commit: version.git_commit,
    build: settings.buildCommand ?? null,
    artifact: settings.artifactPath ?? null,
    dockerfile: settings.dockerfile ?? null,
    args: sorted(settings.buildArgs),
    registry: settings.registry ?? null,
    package: settings.packageUrl ?? null,
    env: sorted(settings.env),
    secrets: sorted(settings.secrets).map(([name, value]) => [name, hidden(value)]),
  };
  return createHash('sha256').update(JSON.stringify(inputs)).digest('hex');
}

function sorted(values: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
}
