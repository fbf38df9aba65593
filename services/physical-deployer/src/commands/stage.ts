import { assign } from './assign.js';
import { FORGET_SCRIPT } from './commands.js';
import { ENVIRONMENT_FILE } from './environment.js';
import { type HostLock, REFUSE, RELEASE_LOCK, takeLock } from './host-lock.js';
import { JOURNAL_FUNCTIONS } from './journal.js';

/** What shall be on the host. */
export interface StagedRelease {
  readonly deployPath: string;
  readonly releaseDir: string;
  readonly version: string;
  readonly sha256: string;
  /** Bytes of the artifact. */
  readonly size: number;
}

/** Every program that a script of this folder calls and a shell does not have by itself. */
export const HOST_TOOLS = [
  'flock',
  'setsid',
  'tar',
  'gzip',
  'sha256sum',
  'timeout',
  ...['cat', 'chmod', 'cp', 'date', 'df', 'dirname', 'find', 'grep', 'head', 'ln', 'mkdir', 'mv'],
  ...['readlink', 'rm', 'sleep', 'tail', 'tee', 'wc'],
] as const;

/** What has to stay free besides twice the artifact. */
const MARGIN_BYTES = 64 * 1024 * 1024;

/**
 * Looks whether the host can take a release and has it, and receives the artifact if it has not.
 * Marks: `complete` (the release is there), or `have` (the artifact is), or `uploaded`. The upload goes to a
 * file named for the epoch, so that an earlier worker that still writes cannot spoil it; nothing uses it
 * before a step has renamed it. What earlier workers left half sent is removed, except while a step
 * of theirs lives that may be about to rename it.
 */
export function receiveArtifact(lock: HostLock, release: StagedRelease): string {
  const needed = Math.ceil((2 * release.size + MARGIN_BYTES) / 1024);
  return `${REFUSE}
${JOURNAL_FUNCTIONS}
${assign({
  deploy_path: release.deployPath,
  release: release.releaseDir,
  sha256: release.sha256,
  size: release.size,
  needed,
})}
missing=
for tool in ${HOST_TOOLS.join(' ')}; do
  command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
[ -z "$missing" ] || refuse missing "$missing"
umask 022
[ -d "$deploy_path/releases" ] && [ -d "$deploy_path/shared" ] || mkdir -p "$deploy_path/releases" "$deploy_path/shared" || refuse folder "$deploy_path could not be made"
[ -w "$deploy_path" ] && [ -w "$deploy_path/releases" ] || refuse folder "$deploy_path cannot be written"
${takeLock(lock)}
[ -d incoming ] || mkdir incoming || refuse folder "$deploy_path/.floy cannot be written"
if [ -d "$deploy_path/releases/$release" ]; then
  there=
  [ ! -f "$deploy_path/releases/$release/.floy-release" ] || read -r there rest <"$deploy_path/releases/$release/.floy-release"
  [ "$there" = "$sha256" ] || refuse folder "$deploy_path/releases/$release holds something else (\${there:-not made by Floy})"
  floy_mark complete
  exit 0
fi
alive=
for run in steps/*.run; do ! held "$run" || alive=yes; done
for part in incoming/*.part; do
  [ -n "$alive" ] || [ "$part" = "incoming/$sha256.$epoch.part" ] || rm -f "$part"
done
${RELEASE_LOCK}
if [ -f "incoming/$sha256" ]; then
  read -r sum rest <<FLOY_SUM
$(sha256sum <"incoming/$sha256")
FLOY_SUM
  if [ "$sum" = "$sha256" ]; then
    floy_mark have
    exit 0
  fi
  rm -f "incoming/$sha256"
fi
free=$(df -Pk . | { read -r line; read -r disk blocks used free rest; echo "$free"; })
case $free in '' | *[!0-9]*) free=$needed ;; esac
[ "$free" -ge "$needed" ] || refuse disk "$deploy_path has $free KiB free and needs $needed KiB"
part=incoming/$sha256.$epoch.part
rm -f "$part"
floy_ask
sum=$(head -c "$size" | tee "$part" | sha256sum)
if [ "\${sum%% *}" = "$sha256" ] && [ "$(wc -c <"$part")" -eq "$size" ]; then
  floy_mark uploaded
  exit 0
fi
rm -f "$part"
refuse transfer "what arrived of the artifact is not $sha256"`;
}

/** What the staging step adds to the artifact. */
export interface StageContents {
  /** Text of the environment file. */
  readonly environment: string;
  readonly sharedPaths: readonly string[];
}

/**
 * The step that makes a release folder: unpacks beside it, links shared paths, writes the
 * environment, and renames it into place as the last act, so that a release folder is always whole.
 * What the archive holds was checked before it was sent. A shared path that is not there yet
 * starts as what the release brings, else as an empty folder.
 */
export function stageStep(lock: HostLock, release: StagedRelease, contents: StageContents): string {
  return `${FORGET_SCRIPT}
${assign({
  deploy_path: release.deployPath,
  release: release.releaseDir,
  version: release.version,
  sha256: release.sha256,
  epoch: lock.epoch,
  environment: contents.environment,
})}
set -e
cd "$deploy_path/.floy"
[ ! -f "incoming/$sha256.$epoch.part" ] || mv -f "incoming/$sha256.$epoch.part" "incoming/$sha256"
new=incoming/$release.$epoch.new
rm -rf incoming/*.new
mkdir "$new"
tar -xzof "incoming/$sha256" -C "$new"
find "$new" \\( -type f -o -type d \\) \\( -perm -4000 -o -perm -2000 \\) -exec chmod ug-s {} +
find "$new" -type d ! -perm -0700 -exec chmod u+rwx {} +
${contents.sharedPaths.map(linkShared).join('\n')}
printf '%s %s\\n' "$sha256" "$version" >"$new/.floy-release"
umask 077
printf '%s' "$environment" >"$new/${ENVIRONMENT_FILE}"
mv -T "$new" "$deploy_path/releases/$release"`;
}

function linkShared(path: string): string {
  return `${assign({ path })}
mkdir -p "$deploy_path/shared/$(dirname "$path")" "$new/$(dirname "$path")"
if [ ! -e "$deploy_path/shared/$path" ]; then
  if [ -e "$new/$path" ]; then cp -R "$new/$path" "$deploy_path/shared/$path"; else mkdir "$deploy_path/shared/$path"; fi
fi
rm -rf "\${new:?}/$path"
ln -s "$deploy_path/shared/$path" "$new/$path"`;
}
