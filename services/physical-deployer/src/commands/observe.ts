import { quote } from '../ssh/quote.js';
import { assign } from './assign.js';
import { type CommandPlace, ENTER_FOLDER, enterRelease } from './environment.js';
import { REFUSE } from './host-lock.js';
import { LOOK_INTO_PLACE } from './own-folders.js';

/** No look at a host takes longer than this for one command. */
export const LOOK_SECONDS = 10;

/**
 * Runs a command for at most so many seconds; it and its children are ended after that (exit code
 * 124). The text goes by a variable, not by an argument list, and is not left in the environment.
 */
export function bounded(command: string, seconds: number): string {
  return `FLOY_COMMAND=${quote(command)} timeout -k 2 ${seconds} sh -c 'floy_command=$FLOY_COMMAND; unset FLOY_COMMAND; eval "$floy_command"'`;
}

/** Tells which releases are whole on a host, changing nothing. Marks: `release DIR` for each one. */
export function listReleases(deployPath: string): string {
  return `${assign({ deploy_path: deployPath })}
cd -P "$deploy_path" 2>/dev/null || exit 0
for folder in releases/*; do
  release=\${folder##*/}
  [ -d "$folder" ] && [ -f ".floy/made/$release" ] && [ -f ".floy/env/$release" ] || continue
  floy_mark release "$release"
done`;
}

/**
 * Tells what runs on a host, changing nothing. Marks: `current DIR` (if the link points to a release), then
 * `mixed DIR` if the environment is another release's, then
 * `status CODE` after the status command's output.
 */
export function observe(deployPath: string, statusCommand: string): string {
  return `${REFUSE}
${assign({ deploy_path: deployPath })}
${LOOK_INTO_PLACE}
[ -d current/. ] || exit 0
current=$(readlink current)
release=\${current##*/}
floy_mark current "$release"
environment=$(readlink .floy/env/current)
[ -z "$environment" ] || [ "$environment" = "$release" ] || floy_mark mixed "$environment"
version=
[ ! -f ".floy/made/$release" ] || read -r sha version <".floy/made/$release"
FLOY_VERSION=$version
FLOY_RELEASE_PATH=$deploy_path/$current
floy_env=$deploy_path/.floy/env/$release
folder=$deploy_path/current
${ENTER_FOLDER}
${bounded(statusCommand, LOOK_SECONDS)} 2>&1
floy_mark status $?`;
}

/** What makes a host healthy besides what it answers over HTTP. */
export interface HealthLook extends CommandPlace {
  readonly statusCommand: string;
  readonly healthCommand?: string;
}

/**
 * One look at whether the wanted release runs. Marks: `current DIR`; `environment DIR`; then output and `status CODE`; then output
 * and `health CODE`, if there is such a command. Stops at the first that is not as it should be.
 */
export function lookAtHealth(look: HealthLook): string {
  const health =
    look.healthCommand === undefined
      ? ''
      : `[ "$code" -eq 0 ] || exit 0
${bounded(look.healthCommand, LOOK_SECONDS)} 2>&1
floy_mark health $?`;
  return `${REFUSE}
${assign({ deploy_path: look.deployPath, wanted: look.releaseDir })}
${LOOK_INTO_PLACE}
[ current -ef "releases/$wanted" ] || { current=$(readlink current); floy_mark current "\${current##*/}"; exit 0; }
floy_mark current "$wanted"
[ .floy/env/current -ef ".floy/env/$wanted" ] || { floy_mark environment "$(readlink .floy/env/current)"; exit 0; }
floy_mark environment "$wanted"
folder=$deploy_path/current
${enterRelease(look)}
${bounded(look.statusCommand, LOOK_SECONDS)} 2>&1
code=$?
floy_mark status "$code"
${health}`;
}
