import { VerdictError } from '@floy/domain';
import { quote } from '../ssh/quote.js';

/**
 * The text of the environment file of a release, which `sh` and systemd (`EnvironmentFile=`) read
 * alike.
 *
 * @throws VerdictError for a name that no shell can hold
 */
export function environmentText(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .map(([name, value]) => {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        throw new VerdictError(`env: ${JSON.stringify(name)} is not a name of a variable`);
      }
      return `${name}=${inFile(value)}\n`;
    })
    .join('');
}

/**
 * Quotes and backslashes stand in double quotes, all else in single ones: systemd takes a quote
 * after `\'` for a character of the value, and before version 240 a backslash in single quotes for
 * an escape.
 */
function inFile(value: string): string {
  const special = value.replaceAll(/['\\]+/g, (run) => `'"${run.replaceAll('\\', '\\\\')}"'`);
  return `'${special}'`;
}

/** What each command finds besides the environment file. */
export interface CommandPlace {
  readonly deployPath: string;
  readonly releaseDir: string;
  readonly version: string;
}

/**
 * Goes to `$folder` (set before), to the folder itself and not to the link `current`, and loads the release's environment. That is never read from the
 * release itself, which an application may own and file servers may hand out.
 */
export function enterRelease({ deployPath, releaseDir, version }: CommandPlace): string {
  return `FLOY_RELEASE_PATH=${quote(`${deployPath}/releases/${releaseDir}`)}
FLOY_VERSION=${quote(version)}
floy_env=${quote(`${deployPath}/.floy/env/${releaseDir}`)}
${ENTER_FOLDER}`;
}

/** The same where the variables `FLOY_RELEASE_PATH`, `FLOY_VERSION` and `floy_env` are set. */
export const ENTER_FOLDER = `PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export FLOY_RELEASE_PATH FLOY_VERSION PATH
cd -P "$folder" || exit 1
set -a
[ ! -f "$floy_env" ] || . "$floy_env"
set +a`;
