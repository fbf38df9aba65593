import { assign } from './assign.js';
import { ENTER_PLACE, OWN_FOLDERS } from './own-folders.js';

/** Who acts on a deploy path: enough to be let in or refused by the host itself. */
export interface HostLock {
  readonly deployPath: string;
  readonly installation: string;
  readonly epoch: bigint;
}

/** `refuse KIND TEXT` ends a script with the reason as a mark; see `rollout/run-script.ts`. */
export const REFUSE = `refuse() { floy_mark refused "$@"; exit 1; }`;

/**
 * Goes into `.floy` and takes its lock as descriptor 9: the lock is held for as long as a state is
 * looked at and changed, not while a step runs, so waiting for it is short. Refuses another
 * installation and a lower epoch, and leaves its own epoch there, so that every worker before this
 * one is refused from now on (law 5). An empty epoch is what a loss of power leaves of the first one
 * and counts as none. Works with the flock of BusyBox, which cannot wait for a time.
 */
export function takeLock(lock: HostLock): string {
  return `${assign({ deploy_path: lock.deployPath, installation: lock.installation, epoch: lock.epoch })}
${OWN_FOLDERS}
${ENTER_PLACE}
exec 9>>lock
tries=0
until flock -n 9; do
  tries=$((tries + 1))
  [ "$tries" -lt 200 ] || refuse busy "$deploy_path/.floy/lock"
  sleep 0.05
done
owner=
[ ! -f owner ] || read -r owner <owner
if [ -z "$owner" ]; then
  printf '%s\\n' "$installation" >owner.new && mv -f owner.new owner || refuse folder "$deploy_path/.floy/owner cannot be written"
elif [ "$owner" != "$installation" ]; then
  refuse owner "$owner"
fi
highest=0
[ ! -s epoch ] || read -r highest <epoch
case $highest in '' | *[!0-9]*) refuse folder "$deploy_path/.floy/epoch is damaged" ;; esac
if [ "$highest" -gt "$epoch" ]; then
  refuse epoch "$highest"
elif [ "$highest" -lt "$epoch" ]; then
  printf '%s\\n' "$epoch" >epoch.new && mv -f epoch.new epoch || refuse folder "$deploy_path/.floy/epoch cannot be written"
fi`;
}

/** Gives the lock back before the script ends. */
export const RELEASE_LOCK = 'exec 9>&-';
