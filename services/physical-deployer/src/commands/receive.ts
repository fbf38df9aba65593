import { assign } from './assign.js';
import { type HostLock, REFUSE, RELEASE_LOCK, takeLock } from './host-lock.js';
import { WHY } from './own-folders.js';

/** An artifact on its way to a host. */
export interface SentArtifact {
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
  /** Where the host fetches it by itself. */
  readonly link?: string;
}

/**
 * What a host says of an artifact: it has what was made of it, maybe with another time than its files
 * shall have, or the artifact, or has received it.
 */
export type Received = keyof typeof RECEIVE_MARKS;

/** What a script that receives may say. */
export const RECEIVE_MARKS = { complete: 1, undated: 1, have: 1, uploaded: 1 };

/** Reads a mark of a script that receives. */
export function readReceived(word: string): Received | undefined {
  return Object.hasOwn(RECEIVE_MARKS, word) ? (word as Received) : undefined;
}

/** Every program that a script of this folder calls and a shell does not have by itself. */
export const HOST_TOOLS = [
  'flock',
  'setsid',
  'tar',
  'gzip',
  'sha256sum',
  'timeout',
  ...['cat', 'chmod', 'cp', 'date', 'df', 'find', 'grep', 'head', 'ln', 'ls', 'mkdir', 'mv'],
  ...['readlink', 'rm', 'rmdir', 'sleep', 'tail', 'touch', 'wc'],
] as const;

/** What has to stay free besides twice the artifact. */
const MARGIN_BYTES = 64 * 1024 * 1024;

/** Looks whether a host can take an artifact, and goes to its place there with the lock held. */
export function prepareToReceive(lock: HostLock, { sha256, size }: SentArtifact): string {
  const needed = Math.ceil((2 * size + MARGIN_BYTES) / 1024);
  return `${REFUSE}
${assign({ deploy_path: lock.deployPath, sha256, size, needed })}
missing=
for tool in ${HOST_TOOLS.join(' ')}; do
  command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
[ -z "$missing" ] || refuse missing "$missing"
${takeLock(lock)}
umask 022
missing=
for folder in releases shared; do [ -d "../$folder" ] || missing="$missing ../$folder"; done
[ -z "$missing" ] || why=$(mkdir $missing 2>&1) || refuse folder "$deploy_path:$missing could not be made: ${WHY}"
umask 077
[ -w .. ] && [ -w ../releases ] || refuse folder "$deploy_path cannot be written"`;
}

/**
 * Answers `have` where the artifact is there, else receives or fetches it into `$part`, which is named for the
 * epoch, so that an earlier worker that still writes cannot spoil it.
 */
export function receive({ link }: SentArtifact): string {
  return `if [ -f "incoming/$sha256" ]; then
  read -r sum rest <<FLOY_SUM
$(sha256sum <"incoming/$sha256")
FLOY_SUM
  if [ "$sum" = "$sha256" ]; then
    floy_mark have
    exit 0
  fi
  rm -f "incoming/$sha256"
fi
{ read -r line; read -r disk blocks used free rest; } <<FLOY_DF
$(df -Pk .)
FLOY_DF
case $free in '' | *[!0-9]*) free=$needed ;; esac
[ "$free" -ge "$needed" ] || refuse disk "$deploy_path has $free KiB free and needs $needed KiB"
part=incoming/$sha256.$epoch.part
rm -f "$part"
${link === undefined ? TAKE : fetchFrom(link)}
if [ "\${sum%% *}" != "$sha256" ]; then
  rm -f "$part"
  refuse transfer "what arrived of the artifact is not $sha256"
fi`;
}

/** A program that could not write says so by its exit code. */
const NOT_WHOLE = '$deploy_path/.floy/$part could not be written whole: is the disk full?';

const TAKE = `floy_ask
head -c "$size" >"$part" || { rm -f "$part"; refuse disk "${NOT_WHOLE}"; }
sum=$(sha256sum <"$part")`;

/**
 * A link is handed over as a file, so that it stands in no process' arguments. The file fetched is this
 * shell's own until it is whole, since whoever fetches goes on for a while when its connection is cut;
 * a server that has fallen silent ends it. Exit code 23 says that it could not be written.
 */
function fetchFrom(link: string): string {
  return `command -v curl >/dev/null 2>&1 || refuse missing ' curl'
fetched=incoming/$sha256.$epoch.$$.part
curl -fsS --connect-timeout 15 --speed-limit 8000 --speed-time 30 --max-filesize "$size" -o "$fetched" --config - 2>"$fetched.said" <<'FLOY_LINK'
url = "${new URL(link).href}"
FLOY_LINK
code=$?
said=$(head -c 500 "$fetched.said" | head -n 1)
rm -f "$fetched.said"
case $code in
  0) sum=$(sha256sum <"$fetched") ;;
  23) rm -f "$fetched"; refuse disk "${NOT_WHOLE}" ;;
  *) rm -f "$fetched"; refuse transfer "$said" ;;
esac
mv -f "$fetched" "$part"`;
}

/**
 * Receives an artifact ahead of its release. Marks: `have` or `uploaded`. A file beside it tells
 * pruning to leave it for a day, as no release on the host was made of it yet.
 */
export function receiveAhead(lock: HostLock, artifact: SentArtifact): string {
  return `${prepareToReceive(lock, artifact)}
: >"incoming/$sha256.ahead"
${RELEASE_LOCK}
${receive(artifact)}
${takeLock(lock)}
mv -f "$part" "incoming/$sha256" || refuse folder "$deploy_path/.floy/incoming cannot be written"
floy_mark uploaded`;
}
