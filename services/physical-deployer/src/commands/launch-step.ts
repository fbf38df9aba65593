import { quote } from '../ssh/quote.js';
import { saidText } from '../ssh/said-text.js';
import { assign } from './assign.js';
import { type HostLock, REFUSE, RELEASE_LOCK, takeLock } from './host-lock.js';
import { JOURNAL_FUNCTIONS, membersOf, type StepKey } from './journal.js';

/** What to start, or to go on watching. */
export interface StepLaunch extends StepKey {
  readonly lock: HostLock;
  /** What the step does; kept in a 0600 file until it begins. */
  readonly script: string;
  /** An attempt whose outcome is unknown and was probed: the next one may be started. */
  readonly rerunAfter: number;
  /** What was seen of the output before a connection broke. */
  readonly seen: { readonly attempt: number; readonly bytes: number };
  /** Whether output is sent as it is written, and not only its end when the step has ended. */
  readonly live: boolean;
}

/**
 * The process that stands for a step, in a session and process group of its own. It inherits the
 * lock of the run file as descriptor 8 and keeps it until it has written the end; the step itself
 * gets neither 8 nor 9, so that a service that it starts holds no lock. It survives TERM, which
 * is for the step, to write how that ended (a trap is not inherited, unlike an ignored signal), and
 * then waits for everybody else of the group: a migration that tidies up after its shell has died
 * is a step that lives. (The children of the wrapper itself are what it looks with.) The begin is
 * written while the host's lock is still held by the descriptor inherited from the launcher: nobody
 * ever sees a held run file without a begin.
 */
const WRAPPER = `stopped=
trap stopped=yes HUP INT TERM
printf '\\nbegin %s %s %s %s\\n' "$2" "$3" "$$" "$(date +%s)" >>journal || exit 1
exec 9>&-
sh "steps/$1.sh" 8>&-
code=$?
while [ -n "$stopped" ] && ${membersOf('$$')} | grep -q -v -E "^$$ |\\) . $$ "; do sleep 0.1; done
printf '\\nend %s %s %s\\n' "$2" "$code" "$(date +%s)" >>journal && rm -f "steps/$1.run"`;

/** What the host says of a step. */
export type StepMark =
  /** Live output follows. */
  | { readonly kind: 'running'; readonly attempt: number; readonly seconds: number }
  /** `bytes` of all output, the end of which follows. */
  | {
      readonly kind: 'ended';
      readonly attempt: number;
      readonly code: string;
      readonly bytes: number;
    }
  | { readonly kind: 'unknown'; readonly attempt: number }
  /** Another step lives there: this one was not begun. */
  | { readonly kind: 'occupied'; readonly key: string };

/** What `launchStep` may say. */
export const STEP_MARKS = { running: 1, ended: 1, unknown: 1, occupied: 1 };

/** Reads a mark of `launchStep`; undefined for one that says nothing of the step. */
export function readStepMark(word: string, rest: string): StepMark | undefined {
  const [first = '', second = '', third = ''] = rest.split(' ');
  const attempt = Number(first);
  // A host may say anything, but not that a step has still to begin.
  if (word === 'running') return { kind: word, attempt, seconds: Math.max(0, Number(second) || 0) };
  if (word === 'ended')
    return { kind: word, attempt, code: saidText(second), bytes: Number(third) };
  if (word === 'unknown') return { kind: word, attempt };
  return word === 'occupied' ? { kind: word, key: saidText(first) } : undefined;
}

/**
 * Starts a step, or answers what became of it. Marks, in this order:
 * `running ATTEMPT SECONDS` (then live output), then `ended ATTEMPT CODE BYTES` and `output` (then
 * the end of all output), or `unknown ATTEMPT`; or only `occupied KEY`.
 *
 * A step of other work may live on although that work has ended, as its host could not be reached or
 * stopping it was given up. Nothing begins beside it: both would switch and restart the same service.
 *
 * The end is looked for again after the lock was found free: a step may have ended in between.
 */
export function launchStep(launch: StepLaunch): string {
  const { work, name, rerunAfter, seen } = launch;
  return `${REFUSE}
${JOURNAL_FUNCTIONS}
${takeLock(launch.lock)}
${assign({ work, name, rerun_after: rerunAfter, seen_attempt: seen.attempt, seen_bytes: seen.bytes, live: launch.live ? 'yes' : '' })}
step=${quote(launch.script)}
wrapper=${quote(WRAPPER)}
follow() {
  elapsed=0
  [ -z "$begun" ] || elapsed=$(($(date +%s) - begun))
  floy_mark running "$attempt" "$elapsed"
  [ "$seen_attempt" -eq "$attempt" ] || seen_bytes=0
  reader=
  if [ -n "$live" ]; then
    tail -c "+$((seen_bytes + 1))" -f "steps/$key.out" 2>/dev/null &
    reader=$!
  fi
  wait_for "steps/$key.run"
  [ -n "$reader" ] || return 0
  kill "$reader" 2>/dev/null
  wait "$reader" 2>/dev/null
}
report() {
  [ -n "$code" ] || { floy_mark unknown "$attempt"; exit 0; }
  size=0
  [ ! -s "steps/$key.out" ] || size=$(($(wc -c <"steps/$key.out")))
  floy_mark ended "$attempt" "$code" "$size"
  floy_mark output
  [ "$size" -eq 0 ] || tail -c 65536 "steps/$key.out"
  exit 0
}
start() {
  for run in steps/*.run; do
    ! held "$run" || { run=\${run#steps/}; floy_mark occupied "\${run%.run}"; exit 0; }
  done
  attempt=$((attempt + 1))
  key=$work.$attempt.$name
  begun=
  printf '%s\\n' "$step" >"steps/$key.sh" && : >"steps/$key.out" || refuse folder "$deploy_path/.floy/steps cannot be written"
  exec 8>"steps/$key.run"
  flock -n 8 || refuse busy "$deploy_path/.floy/steps/$key.run"
  setsid sh -c "$wrapper" floy-step "$key" "$work $attempt $name" "$epoch" </dev/null >>"steps/$key.out" 2>&1 &
  exec 8>&-
  ${RELEASE_LOCK}
  wanted=$attempt
  follow
  look
  [ "$attempt" -eq "$wanted" ] || refuse folder "the step could not begin: $(tail -c 500 "steps/$key.out")"
  report
}
look
[ "$attempt" -gt 0 ] || start
key=$work.$attempt.$name
if [ -z "$code" ] && held "steps/$key.run"; then
  ${RELEASE_LOCK}
  follow
  look
  report
fi
look
[ -n "$code" ] || [ "$attempt" -ne "$rerun_after" ] || start
${RELEASE_LOCK}
report`;
}

/** Records that a look at the host has shown an unknown attempt to be done. */
export function settleStep(lock: HostLock, key: StepKey, attempt: number): string {
  return `${REFUSE}
${JOURNAL_FUNCTIONS}
${takeLock(lock)}
${assign({ work: key.work, name: key.name, probed: attempt })}
look
[ "$attempt" -eq "$probed" ] && [ -z "$code" ] || exit 0
printf '\\nend %s %s %s probed %s\\n' "$work" "$attempt" "$name" "$(date +%s)" >>journal`;
}
