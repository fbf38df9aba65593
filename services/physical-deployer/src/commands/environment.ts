import { VerdictError } from '@floy/domain';
import { quote } from '../ssh/quote.js';

/** The file of a release that every command of it is given. */
export const ENVIRONMENT_FILE = '.floy-env';

/**
 * The text of the environment file.
 *
 * @throws VerdictError for a name that no shell can hold
 */
export function environmentText(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .map(([name, value]) => {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        throw new VerdictError(`env: ${JSON.stringify(name)} is not a name of a variable`);
      }
      return `export ${name}=${quote(value)}\n`;
    })
    .join('');
}

/** What each command finds besides the environment file. */
export interface CommandPlace {
  readonly deployPath: string;
  readonly releaseDir: string;
  readonly version: string;
}

/** Goes to `$folder` (set before) and loads the release's environment. */
export function enterRelease(place: CommandPlace): string {
  const release = `${place.deployPath}/releases/${place.releaseDir}`;
  return `FLOY_RELEASE_PATH=${quote(release)}
FLOY_VERSION=${quote(place.version)}
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export FLOY_RELEASE_PATH FLOY_VERSION PATH
cd "$folder" || exit 1
[ ! -f "$FLOY_RELEASE_PATH/${ENVIRONMENT_FILE}" ] || . "$FLOY_RELEASE_PATH/${ENVIRONMENT_FILE}"`;
}
