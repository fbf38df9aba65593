import { quoted } from './init-script.js';
import { PLACES } from './places.js';
import type { Scratch } from './scratch.js';

/** Folders of one task that its commands get. Real paths, or as the commands see them. */
export interface BuildFolders {
  /** The checkout, where commands run. */
  readonly build: string;
  /** What a test finds of the build. */
  readonly artifact?: string;
  /** A repository of this machine, which nobody can change from inside. */
  readonly repository?: string;
  /** Git's settings, for reading too. */
  readonly settings?: string;
}

/** What a confined command sees of the machine. */
export interface View {
  readonly folders: BuildFolders;
  readonly scratch: Scratch;
  /** Absolute paths without links that are covered, most of them folders. */
  readonly hidden: readonly string[];
  /** What is shown although it lies in one of those. */
  readonly kept: readonly string[];
  /** Of the machine only where programs are: no data of anybody. */
  readonly onlyPrograms: boolean;
}

/**
 * Where memory runs out, the kernel ends builds before Postgres or Floy. Root with CAP_SYS_RESOURCE
 * sets the least as well by this; without it a build can take its own back.
 */
const FIRST_TO_GO = '{ echo 500 >/proc/self/oom_score_adj; } 2>/dev/null || :';

const READ_ONLY = new Set(['repository', 'settings']);

/**
 * The script that makes a view and goes into it, then runs `words` and answers their exit status.
 * It runs as root of its own mount, IPC and PID namespaces, and ends with an error where anything
 * cannot be done. It stays their first process: a build could trace one of its own user, and have
 * it forget the signal that follows the runner's death. The view is
 * a new root made of the old one's folders: only so can the checkout have a path of its own on
 * every machine. All of it is read-only but what is this command's own: what a command cannot
 * change, no later one finds changed, and `/proc/net/unix` shows paths that lead nowhere.
 */
export function viewScript(view: View, words: readonly string[]): string {
  const { folders, scratch, hidden, kept, onlyPrograms } = view;
  const shown = onlyPrograms ? 'bin|sbin|lib*|usr|etc|opt|nix' : '*';
  const each = (names: (readonly [string, string])[], make: string): string =>
    names.map(([from, to]) => `${make} ${quoted(from)} ${quoted(to)}\n`).join('');
  const own = Object.entries({ ...folders, home: scratch.home }) as [keyof typeof PLACES, string][];
  const places = (readOnly: boolean) =>
    own
      .filter(([name]) => READ_ONLY.has(name) === readOnly)
      .map(([name, path]) => [path, PLACES[name]] as const);
  return `set -e
${FIRST_TO_GO}
root=${quoted(scratch.root)}
bare() { mount -t tmpfs -o "mode=755,nosuid,nodev,size=$2" floy "$root$1"; }
folder() { mkdir -p "$root$2"; mount --bind "$1" "$root$2"; }
file() { [ ! -e "$root$2" ] || mount --bind "$1" "$root$2"; }
hide() {
  if [ -d "$root$1" ]; then bare "$1" 1m
  elif [ -e "$root$1" ]; then mount --bind /dev/null "$root$1"
  fi
}
keep() {
  if [ -d "$1" ]; then mkdir -p "$root$1"
  elif [ ! -e "$root$1" ]; then mkdir -p "$(dirname "$root$1")"; : >"$root$1"
  fi
  mount --rbind "$1" "$root$1"
}
seal() {
  flags=
  for flag in nosuid nodev noexec noatime nodiratime relatime nosymfollow; do
    case ,$2, in *,$flag,*) flags=$flags,$flag ;; esac
  done
  mount -o "remount,bind,ro$flags" none "$1"
}
bare '' 4m
mkdir "$root/proc" "$root/dev" "$root/run" "$root/tmp" "$root/floy"
for from in /* /.[!.]*; do
  case $from in /proc | /dev | /run | /tmp | /floy) continue ;; esac
  case \${from#/} in ${shown}) ;; *) continue ;; esac
  if [ -L "$from" ]; then ln -s "$(readlink "$from")" "$root$from"
  elif [ -d "$from" ]; then
    mkdir "$root$from"
    mount --rbind "$from" "$root$from" || rmdir "$root$from"
  fi
done
${hidden.map((path) => `hide ${quoted(path)}\n`).join('')}\
${kept.map((path) => `keep ${quoted(path)}\n`).join('')}\
${each([...places(true)], 'folder')}\
file ${quoted(scratch.passwd)} /etc/passwd
file ${quoted(scratch.group)} /etc/group
mounts=$(cat /proc/self/mountinfo)
while read -r _ _ _ _ point flags _; do
  point=$(printf %b "$point")
  case $point in "$root"/*) [ ! -e "$point" ] || seal "$point" "$flags" ;; esac
done <<MOUNTS
$mounts
MOUNTS
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
bare /dev 1m
for name in null zero full random urandom tty; do
  : >"$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
ln -s /proc/self/fd "$root/dev/fd"
for name in 0:stdin 1:stdout 2:stderr; do
  ln -s "/proc/self/fd/\${name%:*}" "$root/dev/\${name#*:}"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,nosuid,noexec devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777,nosuid,nodev,size=1g floy "$root/dev/shm"
seal "$root/dev" nosuid,nodev
folder ${quoted(scratch.temporary)} /tmp
[ ! -d "$root/var/tmp" ] || [ -L "$root/var/tmp" ] || folder ${quoted(scratch.lasting)} /var/tmp
${each([...places(false)], 'folder')}\
cd "$root"
pivot_root . .
umount -l .
cd /
seal / nosuid,nodev
${words.map(quoted).join(' ')} "$@" || exit $?
`;
}
