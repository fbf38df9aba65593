import { quote } from '../ssh/quote.js';

/**
 * Links the shared paths of a release that lies in `$new`. A path that is not there yet starts as
 * what the release brings, else as an empty folder.
 *
 * What lies below `shared` belongs to applications, which may put a link there at any moment to
 * have root write elsewhere. So a path is gone part by part: after each part the kernel is asked where
 * that has led, and whatever is done after it is done in that folder, wherever its name leads by then.
 * What is new is unpacked in a folder that only this user can write to, and renamed from there, as a
 * rename replaces a link and follows none. That folder too may have been exchanged for a link to
 * another one of this user's before it was entered, so it is asked where that has led.
 */
export const SHARE = `no() { echo "shared_paths: $path: $1" >&2; exit 1; }
enter() {
  [ -L "./$1" ] || [ -d "./$1" ] || mkdir "./$1" || no "$1 could not be made"
  here=$(pwd -P)
  cd -P "./$1" && [ "$(pwd -P)" = "$here/$1" ] || no "$1 is a link, and Floy follows none"
}
reach() {
  while [ $# -gt 1 ]; do enter "$1"; shift; done
  name=$1
}
is_shared() (
  cd -P ../shared || no "the shared folder cannot be entered"
  reach "$@"
  [ ! -L "./$name" ] || no "$name is a link, and Floy follows none"
  [ -e "./$name" ] || exit 3
)
bring() (
  cd -P "$new" || exit 1
  reach "$@"
  [ ! -L "./$name" ] || rm -f "./$name"
  [ -e "./$name" ] || mkdir "./$name"
  tar -cf - "./$name"
)
keep() (
  cd -P ../shared || exit 1
  reach "$@"
  here=$(pwd -P)
  box=.floy-$epoch.$$
  mkdir "./$box" && cd -P "./$box" && [ "$(pwd -P)" = "$here/$box" ] && [ -O . ] &&
    [ -z "$(ls -A)" ] || no "nothing can be made there"
  tar -xof - || no "what the release brings could not be unpacked there"
  mv -fT "./$name" "../$name" || no "$name could not be put there"
  cd -P .. && rmdir "./$box"
)
link() (
  cd -P "$new" || exit 1
  reach "$@"
  rm -rf "./$name" && ln -s "$deploy_path/shared/$path" "./$name"
)
share() {
  found=0
  is_shared "$@" || found=$?
  case $found in
    0) ;;
    3) bring "$@" | keep "$@" || exit 1 ;;
    *) exit 1 ;;
  esac
  link "$@" || exit 1
}`;

/** Links one of them. */
export function share(path: string): string {
  const parts = path.split('/').filter((part) => part !== '');
  return `path=${quote(parts.join('/'))}\nshare ${parts.map(quote).join(' ')}`;
}
