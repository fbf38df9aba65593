import type { BuildUser } from './build-user.js';

/**
 * How a command is kept together, best first. `pid-namespace` needs root, `user-namespace` a kernel
 * that lets everybody make one; in both the kernel ends every process of the command when its
 * first one ends, and the first one when the runner dies. `supervisor` is for machines that allow
 * neither: a process that watches a pipe from the runner and kills what it can find.
 */
export type ContainmentKind = 'pid-namespace' | 'user-namespace' | 'supervisor';

export interface Containment {
  kind: ContainmentKind;
  /** Whether the command gets a `/proc` that shows its own processes only. */
  ownProc: boolean;
}

/** What to try, in this order. Some container runtimes allow a namespace but no `/proc` in it. */
export const CONTAINMENTS: readonly Containment[] = [
  { kind: 'pid-namespace', ownProc: true },
  { kind: 'pid-namespace', ownProc: false },
  { kind: 'user-namespace', ownProc: true },
  { kind: 'user-namespace', ownProc: false },
  { kind: 'supervisor', ownProc: false },
];

const DIE_WITH_PARENT = ['setpriv', '--pdeathsig', 'KILL'];

/**
 * The words to put before a program so that it runs contained and as `user` (as Floy's own user
 * when undefined). A change of user clears the signal that follows the parent's death, so it is
 * asked for again after each one.
 */
export function containedWords(containment: Containment, user: BuildUser | undefined): string[] {
  const inside = [
    '--pid',
    '--fork',
    '--kill-child=KILL',
    ...(containment.ownProc ? ['--mount-proc'] : []),
  ];
  switch (containment.kind) {
    case 'pid-namespace':
      return [...DIE_WITH_PARENT, 'unshare', ...inside, ...DIE_WITH_PARENT, ...becoming(user)];
    case 'user-namespace':
      return [
        ...(user ? ['setpriv', ...becoming(user)] : []),
        ...DIE_WITH_PARENT,
        'unshare',
        '--user',
        '--map-current-user',
        ...inside,
        ...DIE_WITH_PARENT,
      ];
    case 'supervisor':
      return [];
  }
}

/** `--no-new-privs`: what the command starts cannot regain rights by a setuid program either. */
function becoming(user: BuildUser | undefined): string[] {
  if (!user) return [];
  const ids = ['--reuid', String(user.uid), '--regid', String(user.gid)];
  return [...ids, '--clear-groups', '--no-new-privs'];
}

/** One sentence for the log, where the containment is not the best. */
export function shortcomingOf(containment: Containment): string | undefined {
  if (containment.kind === 'supervisor') {
    return (
      'this machine allows no PID namespace: builds are ended by a supervisor when the runner ' +
      'dies, which finds their process group and what still has their environment, no more'
    );
  }
  return containment.ownProc
    ? undefined
    : 'this machine allows no /proc of their own to builds: they see the processes of others';
}
