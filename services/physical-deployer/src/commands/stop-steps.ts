import { assign } from './assign.js';
import { type HostLock, REFUSE, RELEASE_LOCK, takeLock } from './host-lock.js';
import { JOURNAL_FUNCTIONS, type StepKey } from './journal.js';

/** Between TERM and KILL. */
export const TERM_SECONDS = 5;

/**
 * Ends every step that lives, or only one: TERM to its process group, KILL five seconds later, and
 * waits for it. A step is signalled only while its run file is locked, since its group's number may
 * belong to others afterwards. Taking the lock has raised the epoch, so nothing of an earlier
 * worker can begin meanwhile.
 */
export function stopSteps(lock: HostLock, only?: StepKey): string {
  return `${REFUSE}
${JOURNAL_FUNCTIONS}
${assign({ deploy_path: lock.deployPath, only: only === undefined ? '' : `${only.work} ${only.name}` })}
[ -d "$deploy_path/.floy" ] || exit 0
${takeLock(lock)}
living=
for run in steps/*.run; do
  held "$run" || continue
  key=\${run#steps/}
  key=\${key%.run}
  name=\${key##*.}
  rest=\${key%.*}
  work=\${rest%.*}
  [ -z "$only" ] || [ "$only" = "$work $name" ] || continue
  look
  [ -n "$group" ] || continue
  kill -s TERM -- "-$group"
  living="$living $key:$group"
done
${RELEASE_LOCK}
for step in $living; do
  key=\${step%:*}
  group=\${step##*:}
  ( sleep ${TERM_SECONDS}; ! held "steps/$key.run" || kill -s KILL -- "-$group" ) >/dev/null 2>&1 &
done
for step in $living; do
  key=\${step%:*}
  name=\${key##*.}
  rest=\${key%.*}
  attempt=\${rest##*.}
  work=\${rest%.*}
  wait_for "steps/$key.run"
  wanted=$attempt
  look
  [ "$attempt" -ne "$wanted" ] || [ -n "$code" ] || printf '\\nend %s %s %s stopped %s\\n' "$work" "$attempt" "$name" "$(date +%s)" >>journal
  rm -f "steps/$key.run"
  floy_mark stopped "$key"
done
exit 0`;
}
