import { assign } from './assign.js';
import { type HostLock, REFUSE, RELEASE_LOCK, takeLock } from './host-lock.js';
import { JOURNAL_FUNCTIONS, membersOf, type StepKey } from './journal.js';

/** Tenths of a second from TERM to KILL, and to where a step that lives on is given up. */
const TERM_TENTHS = 50;
const KILL_TENTHS = 80;

/**
 * Ends every step that lives, or only one: TERM to its process group, KILL five seconds later, and
 * looks until the group has no members, which is more than that the step's shell has ended. A step is
 * signalled only while its run file is locked, since its group's number may belong to others
 * afterwards; a group that has members keeps its number. Taking the lock has raised the epoch, so
 * nothing of an earlier worker can begin meanwhile. Marks: `stopped KEY`, or `alive KEY` where something
 * is left that this user cannot end.
 */
export function stopSteps(lock: HostLock, only?: StepKey): string {
  return `${REFUSE}
${JOURNAL_FUNCTIONS}
${assign({ deploy_path: lock.deployPath, only: only === undefined ? '' : `${only.work} ${only.name}` })}
[ -d "$deploy_path/.floy" ] || exit 0
${takeLock(lock)}
parts() {
  name=\${key##*.}
  rest=\${key%.*}
  wanted=\${rest##*.}
  work=\${rest%.*}
}
living=
for run in steps/*.run; do
  held "$run" || continue
  key=\${run#steps/}
  key=\${key%.run}
  parts
  [ -z "$only" ] || [ "$only" = "$work $name" ] || continue
  look
  [ -n "$group" ] || continue
  kill -s TERM -- "-$group"
  living="$living $key:$group"
done
${RELEASE_LOCK}
tries=0
while [ -n "$living" ]; do
  left=
  for step in $living; do
    key=\${step%:*}
    group=\${step##*:}
    if [ -n "$(${membersOf('$group')})" ]; then
      [ "$tries" -ne ${TERM_TENTHS} ] || kill -s KILL -- "-$group"
      [ "$tries" -lt ${KILL_TENTHS} ] || { floy_mark alive "$key"; continue; }
      left="$left $step"
      continue
    fi
    parts
    look
    [ "$attempt" -ne "$wanted" ] || [ -n "$code" ] || printf '\\nend %s %s %s stopped %s\\n' "$work" "$attempt" "$name" "$(date +%s)" >>journal
    rm -f "steps/$key.run"
    floy_mark stopped "$key"
  done
  living=$left
  tries=$((tries + 1))
  [ -z "$living" ] || sleep 0.1
done
exit 0`;
}
