/** A step of one piece of work; the same key is never run twice with a known outcome. */
export interface StepKey {
  /** Id of the work: `[A-Za-z0-9._-]`. */
  readonly work: string;
  /** `[a-z_]`. */
  readonly name: string;
}

/**
 * The journal is a text file of two kinds of lines,
 * `begin WORK ATTEMPT NAME EPOCH GROUP TIME` and `end WORK ATTEMPT NAME CODE TIME`, where CODE is
 * an exit code, `probed` (the outcome was seen by looking) or `stopped`. Each line comes with a newline
 * before it, so that one torn by a crash of the host does not swallow the next.
 *
 * `look` finds the last attempt of `$work` and `$name`; `held` tells whether a run file's lock is
 * held, which is as long as the step lives; `wait_for` waits until it is not.
 */
export const JOURNAL_FUNCTIONS = `held() { [ -e "$1" ] && ( exec 7<"$1" && ! flock -n -s 7 ) 2>/dev/null; }
wait_for() { ( exec 7<"$1" && exec flock -s 7 ) 2>/dev/null; }
look() {
  attempt=0 code= group= begun=
  [ -f journal ] || return 0
  while read -r j_what j_work j_attempt j_name j_1 j_2 j_3; do
    [ "$j_work" = "$work" ] && [ "$j_name" = "$name" ] || continue
    case $j_what in
      begin) [ "$j_attempt" -lt "$attempt" ] || { attempt=$j_attempt code= group=$j_2 begun=$j_3; } ;;
      end) [ "$j_attempt" != "$attempt" ] || code=$j_1 ;;
    esac
  done <<FLOY_JOURNAL
$(grep -F -e " $work " journal)
FLOY_JOURNAL
}`;

/**
 * Prints what the kernel says of the members of the process group that stands in `group`, a line
 * each, also of those of other users, which a signal does not find. Those that have ended and are
 * reaped by nobody do not count. The line has to go on as the kernel's do: any user can name a
 * process, in 15 bytes, like the beginning of one.
 */
export function membersOf(group: string): string {
  return `grep -h -E "\\\\) [^XZ] [0-9]+ ${group}( -?[0-9]+){40,}$" /proc/[0-9]*/stat 2>/dev/null`;
}
