import { assign } from './assign.js';
import { FORGET_SCRIPT } from './commands.js';
import { type HostLock, RELEASE_LOCK } from './host-lock.js';
import { JOURNAL_FUNCTIONS } from './journal.js';
import { prepareToReceive, receive, type SentArtifact } from './receive.js';
import { share, SHARE } from './shared-paths.js';

/** A file in each release that an earlier Floy has made. */
export const EARLIER_MARK = '.floy-release';

/** What shall be on the host. */
export interface StagedRelease extends SentArtifact {
  readonly deployPath: string;
  readonly releaseDir: string;
  readonly version: string;
  /** The time that its files shall have. Whole seconds since 1970. */
  readonly filesAt: number;
}

/**
 * Looks whether the host can take a release and has it, and receives the artifact if it has not.
 * Marks: `complete` (the release is there, and its environment was written), or `undated` (so it is,
 * but its files have another time), or `have` (the artifact is), or `uploaded`; nothing uses that upload before a step has renamed it. What earlier workers left
 * half sent is removed, except while a step of theirs lives that may be about to rename it.
 *
 * `.floy/made` says what a release was made of, and the time of its files. A release of an earlier Floy has that inside, where
 * the application could change it: it is not believed, and the release is made anew.
 */
export function receiveArtifact(
  lock: HostLock,
  release: StagedRelease,
  environment: string,
): string {
  return `${JOURNAL_FUNCTIONS}
${prepareToReceive(lock, release)}
${assign({ release: release.releaseDir, files_at: release.filesAt, environment })}
if [ -d "../releases/$release" ]; then
  there= dated=
  [ ! -f "made/$release" ] || { read -r there rest; read -r dated; } <"made/$release"
  if [ "$there" = "$sha256" ]; then
    { ${KEEP_ENVIRONMENT}; } || refuse folder "$deploy_path/.floy/env cannot be written"
    if [ "$dated" = "$files_at" ]; then floy_mark complete; else floy_mark undated; fi
    exit 0
  fi
  [ -z "$there" ] && [ -f "../releases/$release/${EARLIER_MARK}" ] || refuse folder "$deploy_path/releases/$release holds something else (\${there:-not made by Floy})"
fi
alive=
for run in steps/*.run; do ! held "$run" || alive=yes; done
for part in incoming/*.part; do
  [ -n "$alive" ] || [ "$part" = "incoming/$sha256.$epoch.part" ] || rm -f "$part"
done
${RELEASE_LOCK}
${receive(release)}
floy_mark uploaded`;
}

/** The environment is replaced as a whole. */
const KEEP_ENVIRONMENT = `printf '%s' "$environment" >"incoming/$release.$epoch.env.new" && mv -f "incoming/$release.$epoch.env.new" "env/$release"`;

/** What the staging step adds to the artifact. */
export interface StageContents {
  /** Text of the environment file. */
  readonly environment: string;
  readonly sharedPaths: readonly string[];
}

/**
 * The step that makes a release folder: unpacks beside it, links shared paths, writes the
 * environment and what it was made of to `.floy`, and renames it into place as the last act, so
 * that a release folder is always whole. What the archive holds was checked before it was sent.
 * Archives hold one constant time, by which visitors of a file server would keep the old page: so every
 * file is given the time of the release. Begins in `.floy`.
 */
export function stageStep(lock: HostLock, release: StagedRelease, contents: StageContents): string {
  return `${FORGET_SCRIPT}
${assign({
  deploy_path: release.deployPath,
  release: release.releaseDir,
  version: release.version,
  sha256: release.sha256,
  epoch: lock.epoch,
  files_at: release.filesAt,
  environment: contents.environment,
})}
set -e
[ ! -f "incoming/$sha256.$epoch.part" ] || mv -f "incoming/$sha256.$epoch.part" "incoming/$sha256"
new=incoming/$release.$epoch.new
for left in incoming/*.new; do [ ! -e "$left" ] || rm -rf "$left"; done
mkdir "$new"
tar -xzof "incoming/$sha256" -C "$new"
TZ=UTC0 find "$new" \\( -type d -o -type f -exec touch -d "@$files_at" {} + \\) \\( -perm -4000 -o -perm -2000 -o -type d ! -perm -0700 \\) -exec chmod u+rwX,ug-s {} +
${contents.sharedPaths.length === 0 ? '' : `${SHARE}\n${contents.sharedPaths.map(share).join('\n')}`}
umask 077
${KEEP_ENVIRONMENT} || exit 1
[ ! -e "../releases/$release" ] || mv -T "../releases/$release" "removed.$release.$epoch"
printf '%s %s\\n%s\\n' "$sha256" "$version" "$files_at" >"made/$release"
mv -T "$new" "../releases/$release"`;
}
