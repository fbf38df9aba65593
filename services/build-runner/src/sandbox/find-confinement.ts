import { messageOf } from '@floy/domain';
import { access, constants, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { checkBuildUsers, type UserRange } from './build-user.js';
import type { Confinement } from './confinement.js';
import { DEFAULT_PATH } from './default-path.js';
import type { CommandExit } from './exit-verdict.js';

/** The best that was found, and what is missing for a better one. */
export interface FoundConfinement {
  readonly confinement: Confinement;
  readonly missing?: string;
}

/** What is looked for, and how it is tried. */
export interface Search {
  /** See `SandboxOptions`. */
  readonly users: UserRange;
  readonly only?: 'supervisor' | undefined;
  readonly root: boolean;
  /** Runs `true` in this confinement. */
  attempt(way: 'root' | 'user-namespace'): Promise<CommandExit>;
}

const PROGRAMS = ['setpriv', 'unshare', 'mount', 'umount', 'pivot_root'];

/**
 * Tries how commands can be kept apart here. What is missing is told as what somebody can change.
 * Throws `Error` when `FLOY_BUILD_USERS` names users of somebody else.
 */
export async function findConfinement({
  users,
  only,
  root,
  attempt,
}: Search): Promise<FoundConfinement> {
  if (root) await checkBuildUsers(users);
  const way = root ? 'root' : 'user-namespace';
  if (only === 'supervisor') return { confinement: only, missing: 'it was not tried' };
  const advice = 'or set FLOY_BUILD_UNCONFINED=yes where everybody who can push is trusted';
  const lacks = (why: string): FoundConfinement => ({
    confinement: 'supervisor',
    missing: `${why}, ${advice}`,
  });
  if (process.platform !== 'linux') {
    return lacks('builds are kept apart by namespaces, which only Linux has: build there');
  }
  const absent = await absentPrograms();
  if (absent.length > 0) return lacks(`install ${absent.join(', ')} (util-linux, mount)`);
  const said = await attempt(way).then(
    ({ exitCode }) => (exitCode === 0 ? undefined : `exit code ${exitCode}`),
    messageOf,
  );
  if (said === undefined) return { confinement: way };
  return lacks(`${root ? await whyNotRoot() : await whyNotUser()} (${said})`);
}

async function absentPrograms(): Promise<string[]> {
  const found = await Promise.all(
    PROGRAMS.map(async (name) => {
      const files = DEFAULT_PATH.split(delimiter).map((folder) => join(folder, name));
      const usable = files.map((file) => access(file, constants.X_OK));
      return Promise.any(usable).then(
        () => undefined,
        () => name,
      );
    }),
  );
  return found.filter((name) => name !== undefined);
}

const CAP_SYS_ADMIN = 21n;

async function whyNotRoot(): Promise<string> {
  const status = await textOf('/proc/self/status');
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return (held >> CAP_SYS_ADMIN) % 2n === 0n
    ? 'this root lacks CAP_SYS_ADMIN, as in most containers: give it that'
    : 'root may make no namespaces and mounts here: look for a seccomp or AppArmor profile';
}

/** Switches of the kernel that forbid ordinary users to make a user namespace. */
const SWITCHES = [
  ['user/max_user_namespaces', '0', '15000'],
  ['kernel/unprivileged_userns_clone', '0', '1'],
  ['kernel/apparmor_restrict_unprivileged_userns', '1', '0'],
] as const;

async function whyNotUser(): Promise<string> {
  for (const [name, off, on] of SWITCHES) {
    if ((await textOf(`/proc/sys/${name}`)).trim() !== off) continue;
    const setting = `${name.replace('/', '.')}=${on}`;
    return `unprivileged user namespaces are switched off: sysctl -w ${setting}`;
  }
  return 'this user may make no namespaces and mounts here: run the build-runner as root';
}

const textOf = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
