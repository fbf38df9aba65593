import { quote } from '../ssh/quote.js';
import { assign } from './assign.js';
import { type HostLock, REFUSE, RELEASE_LOCK, takeLock } from './host-lock.js';
import { JOURNAL_FUNCTIONS } from './journal.js';

/** Lines of the journal that stay: enough for every step of the last dozens of releases. */
const JOURNAL_LINES = 600;

/** What may not go. */
export interface Kept {
  /** Release folders that stay whatever their age. */
  readonly dirs: readonly string[];
  /** How many of the newest stay besides. */
  readonly newest: number;
  /** The work that does this: its steps stay known. */
  readonly work: string;
}

/**
 * Removes old release folders (never the current one, and nothing that Floy did not make), the
 * artifacts that no release left on the host was made from, and what steps have left. A folder
 * leaves `releases/` by a rename under the lock and is emptied afterwards. Steps that live, and the
 * journal while one does, are not touched. Marks: `removed DIR`.
 */
export function prune(lock: HostLock, kept: Kept): string {
  return `${REFUSE}
${JOURNAL_FUNCTIONS}
${takeLock(lock)}
${assign({ newest: kept.newest, own: kept.work })}
current=$(readlink "$deploy_path/current")
current=\${current##*/}
keep() {
  case $1 in "$current"${kept.dirs.map((dir) => ` | ${quote(dir)}`).join('')}) return 0 ;; esac
  [ "$count" -le "$newest" ]
}
count=0
for marker in $(cd "$deploy_path/releases" && ls -1t */.floy-release 2>/dev/null); do
  release=\${marker%/*}
  count=$((count + 1))
  keep "$release" || { mv -T "$deploy_path/releases/$release" "removed.$release.$epoch" && floy_mark removed "$release"; }
done
alive=
for run in steps/*.run; do ! held "$run" || alive=yes; done
if [ -z "$alive" ]; then
  needed=$(for marker in "$deploy_path"/releases/*/.floy-release; do [ ! -f "$marker" ] || { read -r sha rest <"$marker"; echo "$sha"; }; done)
  for artifact in incoming/*; do
    case " $(echo $needed) " in *" \${artifact#incoming/} "*) ;; *) rm -rf "$artifact" ;; esac
  done
  if [ -f journal ] && [ "$(wc -l <journal)" -gt ${JOURNAL_LINES * 2} ]; then
    tail -n ${JOURNAL_LINES} journal >journal.new && mv -f journal.new journal
  fi
  for file in steps/*.out steps/*.sh steps/*.run; do
    key=\${file#steps/}
    key=\${key%.*}
    name=\${key##*.}
    rest=\${key%.*}
    work=\${rest%.*}
    [ -f "$file" ] && [ "$work" != "$own" ] || continue
    grep -q -F -e " $work \${rest##*.} $name " journal || rm -f "$file"
  done
fi
${RELEASE_LOCK}
rm -rf removed.*
exit 0`;
}
