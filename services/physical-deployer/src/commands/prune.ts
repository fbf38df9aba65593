import { quote } from '../ssh/quote.js';
import { assign } from './assign.js';
import { type HostLock, REFUSE, RELEASE_LOCK, takeLock } from './host-lock.js';
import { JOURNAL_FUNCTIONS } from './journal.js';
import { EARLIER_MARK } from './stage.js';

/** Lines of the journal that stay: enough for every step of the last dozens of releases. */
const JOURNAL_LINES = 600;
/** Longer output of a step is cut to its end once the step has ended. */
const OUTPUT_BYTES = 1024 * 1024;

/** What may not go. */
export interface Kept {
  /** Release folders. */
  readonly dirs: readonly string[];
  /** The work that does this: its steps stay known. */
  readonly work: string;
}

/**
 * Removes release folders (never the current one, and nothing that Floy did not make) with their
 * environments, the artifacts that no release left on the host was made from (but what was sent
 * ahead within a day), and what the steps of other work have left: how those ended is in the
 * journal. A folder leaves `releases/` by a rename under the lock and is emptied
 * afterwards. Steps that live, and the journal while one does, are not touched. Output is cut in place,
 * which gives its room back also where a service that a step has started still writes to it. Marks:
 * `removed DIR`.
 */
export function prune(lock: HostLock, kept: Kept): string {
  return `${REFUSE}
${JOURNAL_FUNCTIONS}
${takeLock(lock)}
${assign({ own: kept.work })}
for folder in ../releases/*; do
  release=\${folder##*/}
  [ -d "$folder" ] && { [ -f "made/$release" ] || [ -f "$folder/${EARLIER_MARK}" ]; } || continue
  [ ! "$folder" -ef ../current ] || continue
${keep(kept.dirs)}  mv -T "../releases/$release" "removed.$release.$epoch" && floy_mark removed "$release"
done
alive=
for run in steps/*.run; do ! held "$run" || alive=yes; done
if [ -z "$alive" ]; then
  for file in env/* made/*; do
    release=\${file#*/}
    case $file in env/current) continue ;; esac
    [ -d "../releases/$release" ] || rm -f "$file"
  done
  needed=
  for made in made/*; do [ ! -f "$made" ] || { read -r sha rest <"$made"; needed="$needed$sha "; }; done
  for ahead in incoming/*.ahead; do
    [ ! -e "$ahead" ] || find "$ahead" -mtime +0 -exec rm -f {} +
  done
  for artifact in incoming/*; do
    case " $needed" in *" \${artifact#incoming/} "*) continue ;; esac
    case $artifact in *.ahead) ;; *) [ -f "$artifact.ahead" ] || rm -rf "$artifact" ;; esac
  done
  if [ -f journal ] && [ "$(wc -l <journal)" -gt ${JOURNAL_LINES * 2} ]; then
    tail -n ${JOURNAL_LINES} journal >journal.new && mv -f journal.new journal
  fi
  for file in steps/*; do
    case $file in
      "steps/$own".*.out)
        [ -s "$file" ] && [ "$(wc -c <"$file")" -gt ${OUTPUT_BYTES} ] || continue
        tail -c 65536 "$file" >output.new && cat output.new >"$file"
        rm -f output.new
        ;;
      "steps/$own".*) ;;
      *.out) : >"$file" && rm -f "$file" ;;
      *) rm -f "$file" ;;
    esac
  done
fi
${RELEASE_LOCK}
for folder in removed.*; do [ ! -e "$folder" ] || rm -rf "$folder"; done
exit 0`;
}

function keep(dirs: readonly string[]): string {
  return dirs.length === 0
    ? ''
    : `  case $release in ${dirs.map(quote).join(' | ')}) continue ;; esac\n`;
}
