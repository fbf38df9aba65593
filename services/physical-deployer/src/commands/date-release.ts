import { assign } from './assign.js';
import { FORGET_SCRIPT } from './commands.js';
import type { HostLock } from './host-lock.js';
import type { StagedRelease } from './stage.js';

/**
 * The step that gives the files of a release that is there the time of the release that uses it again:
 * later than that of what was current, so that caches notice the way back too. Begins in `.floy`.
 *
 * Where an application owns a folder of the release, it may put a link in the place of any part of a
 * path while that is gone. So paths are used only where every folder is of root or this user and can be
 * written by nobody else. Any other release is gone folder by folder: each is entered, the kernel is
 * asked where that has led, and only names without a slash are touched in it, which follows no link.
 * Files that this user may not touch keep their time: that is no reason to keep a release from coming
 * back.
 */
export function dateStep(lock: HostLock, release: StagedRelease): string {
  return `${FORGET_SCRIPT}
umask 077
${assign({
  deploy_path: release.deployPath,
  release: release.releaseDir,
  epoch: lock.epoch,
  files_at: release.filesAt,
})}
TZ=UTC0
export TZ
left_out() { echo "Files of $deploy_path/releases/$release keep the time that they had: $1" >&2; }
date_here() {
  here=$(pwd -P)
  find . ! -name . -prune -type f -exec touch -h -c -d "@$files_at" {} + || left_out "$here cannot be changed"
  for each in ./*/ ./.[!.]*/ ./..?*/; do
    each=\${each%/}
    [ -d "$each" ] && [ ! -L "$each" ] || continue
    (
      cd -P "$each" 2>/dev/null && [ "$(pwd -P)" = "$here/\${each#./}" ] || { left_out "$here/\${each#./} cannot be entered"; exit 0; }
      date_here
    )
  done
}
read -r mode links me rest <<FLOY_SELF
$(ls -ldn .)
FLOY_SELF
(
  cd -P "../releases/$release" || exit 1
  others=$(find . -type d \\( ! -user "$me" ! -user 0 -o -perm -020 -o -perm -002 \\) -print 2>/dev/null | head -n 1)
  if [ -z "$others" ]; then
    find . -type f -exec touch -h -c -d "@$files_at" {} + || left_out "not all of them can be changed"
  else
    date_here
  fi
) || exit 1
read -r made <"made/$release" || exit 1
printf '%s\\n%s\\n' "$made" "$files_at" >"incoming/$release.$epoch.made.new" && mv -f "incoming/$release.$epoch.made.new" "made/$release"`;
}
