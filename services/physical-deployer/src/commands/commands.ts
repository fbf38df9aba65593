import { quote } from '../ssh/quote.js';
import { type CommandPlace, enterRelease } from './environment.js';

/** First line of every step: what it holds is not left on the disk. */
export const FORGET_SCRIPT = 'rm -f "$0"\numask 022';

/**
 * A step that runs one command of the settings, in the new release or where `current` points
 * (in the new release while there is no current one). `eval` keeps the command out of every argument list.
 */
export function commandStep(
  place: CommandPlace,
  where: 'release' | 'current',
  command: string,
): string {
  const release = quote(`${place.deployPath}/releases/${place.releaseDir}`);
  const folder =
    where === 'current'
      ? `folder=${quote(`${place.deployPath}/current`)}
[ -d "$folder/." ] || folder=${release}`
      : `folder=${release}`;
  return `${FORGET_SCRIPT}
${folder}
${enterRelease(place)}
eval ${quote(command)}`;
}

/** Begins the last line of a switch that has failed before the restart command was begun. */
export const FAILED = 'floy: ';

/**
 * The step that makes a release the running one: the links are replaced by atomic renames, so that
 * a reader finds the old or the new one and never none; then the service is restarted. All in one
 * step: each may be repeated, and a host pays for one step instead of two. The environment is first:
 * where `current` is new, so is what the service reads. A service that must not see its files change
 * is stopped before; where that fails, it may be because it does not run.
 */
export function switchStep(
  place: CommandPlace,
  commands: { readonly restart: string; readonly stop?: string; readonly status: string },
): string {
  const stop =
    commands.stop === undefined
      ? ''
      : `
[ ! -d current/. ] || (
folder=$deploy_path/current
${enterRelease(place)}
( eval ${quote(commands.stop)} )
code=$?
[ "$code" -eq 0 ] || ! ( eval ${quote(commands.status)} ) || { echo "stop_command ended with exit code $code in $(pwd -P), and status_command says that the service runs" >&2; exit 1; }
) || floy_failed "the service could not be stopped"`;
  return `${FORGET_SCRIPT}
deploy_path=${quote(place.deployPath)}
release=${quote(`releases/${place.releaseDir}`)}
environment=${quote(place.releaseDir)}
floy_failed() { echo "${FAILED}$1" >&2; exit 1; }
cd -P .. || exit 1
[ -d "$release" ] || floy_failed "$deploy_path/$release is not there"
[ -f ".floy/env/$environment" ] || floy_failed "$deploy_path/.floy/env/$environment is not there"
[ -L current ] || [ ! -e current ] || floy_failed "$deploy_path/current is not a link"${stop}
ln -sfn "$environment" .floy/env.new && mv -fT .floy/env.new .floy/env/current || floy_failed "$deploy_path/.floy/env/current could not be switched"
ln -sfn "$release" .floy/current.new && mv -fT .floy/current.new current || floy_failed "$deploy_path/current could not be switched"
folder=$deploy_path/current
${enterRelease(place)}
eval ${quote(commands.restart)}`;
}
