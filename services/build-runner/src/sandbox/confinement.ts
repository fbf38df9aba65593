import type { BuildUser } from './build-user.js';

/**
 * How commands are kept apart. `root`: namespaces made by root, and a user for each build.
 * `user-namespace`: the same by a user namespace, for an ordinary user. `supervisor`: neither can
 * be had; a process that watches a pipe from the runner ends what it can find, and no more.
 */
export type Confinement = 'root' | 'user-namespace' | 'supervisor';

const DIE_WITH_PARENT = ['setpriv', '--pdeathsig', 'KILL'];
const NAMESPACES = ['--mount', '--ipc', '--pid', '--fork', '--kill-child=KILL'];

/** The number of `keyctl` among the system's calls, by the processor as Node calls it. */
const KEYCTL: Readonly<Partial<Record<string, number>>> = { x64: 250, arm64: 219, riscv64: 219 };
const JOIN_NEW_KEYRING = 1;

/**
 * The words that give a command a new session keyring, since it would have Floy's. No program that is
 * always there does it but Perl, which is part of every Debian. Where it or the call is missing,
 * the command begins without.
 */
function ownKeyringWords(): string[] {
  const call = KEYCTL[process.arch];
  if (call === undefined) return [];
  const join = `syscall(${call}, ${JOIN_NEW_KEYRING}, 0); exec { $ARGV[0] } @ARGV; exit 127`;
  const ifThere = 'if command -v perl >/dev/null; then exec perl -e "$0" -- "$@"; fi; exec "$@"';
  return ['/bin/sh', '-c', ifThere, join];
}

/**
 * The words that make the namespaces of another people's command, to which the script that makes
 * its view is given. The kernel ends every process in them when their first one ends, and that one
 * when the runner dies.
 */
export function outerWords(confinement: 'root' | 'user-namespace'): string[] {
  const user = confinement === 'root' ? [] : ['--user', '--map-root-user'];
  const make = ['unshare', ...user, ...NAMESPACES, '--', '/bin/sh', '-c'];
  return [...DIE_WITH_PARENT, ...ownKeyringWords(), ...make];
}

/**
 * The words by which the script becomes who runs the command, with no right that it could regain,
 * by a setuid program neither. An ordinary user goes into a second user namespace: in the first it
 * is root, owns the mounts, and could take them away. A change of user clears the signal that
 * follows the parent's death, so it is asked for again.
 */
export function innerWords(
  confinement: 'root' | 'user-namespace',
  user: BuildUser | undefined,
): string[] {
  if (confinement === 'root' && user) {
    const ids = ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups'];
    const nothing = ['--inh-caps=-all', '--bounding-set=-all', '--no-new-privs'];
    return [...DIE_WITH_PARENT, ...ids, ...nothing, '--'];
  }
  const own = [`--map-user=${process.getuid?.()}`, `--map-group=${process.getgid?.()}`];
  return ['unshare', '--user', ...own, '--', ...DIE_WITH_PARENT, '--no-new-privs', '--'];
}

/** The words before a program of Floy's own choice: it sees the machine, and ends with the runner. */
export function ownProgramWords(confinement: 'root' | 'user-namespace'): string[] {
  const user = confinement === 'root' ? [] : ['--user', '--map-current-user'];
  return [
    ...[...DIE_WITH_PARENT, 'unshare', ...user, '--pid', '--fork', '--kill-child=KILL'],
    ...['--mount-proc', ...DIE_WITH_PARENT],
  ];
}
