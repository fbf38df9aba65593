import { quoted } from '../sandbox/init-script.js';
import type { Repository, Transport } from './repository.js';

/** Git's command lines, settings and environment, as data. */

/** Makes the folder a repository that knows no remote: addresses are given to each fetch. */
export const initWords = (folder: string): string[] => [
  ...['git', 'init', '--quiet', '--template=', '--initial-branch=floy', '--', folder],
];

/** Fetches `refspecs`; without history when `depth` is given. */
export function fetchWords(repository: Repository, refspecs: string[], depth?: number): string[] {
  return [
    ...['git', 'fetch', '--quiet', '--no-tags', '--no-auto-maintenance'],
    ...['--no-recurse-submodules', '--force', ...(depth ? [`--depth=${depth}`] : [])],
    ...['--end-of-options', repository.url, ...refspecs],
  ];
}

/** Prints what a server has a tag at, and for an annotated one also what that is put on. */
export const tagWords = (repository: Repository, tag: string): string[] => [
  ...['git', 'ls-remote', '--quiet', '--tags', '--end-of-options', repository.url],
  ...[`refs/tags/${tag}`, `refs/tags/${tag}^{}`],
];

/** All that a server shows to everybody who clones. */
export const ALL_REFS = ['+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'];

/** The depth that lengthens what was fetched without history; git's own name for "all of it". */
export const WHOLE_HISTORY = 0x7fffffff;

/** Prints the commit that a name stands for. */
export const commitOfWords = (name: string): string[] => [
  ...['git', 'rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`],
];

/** Prints the names of all objects that begin with these digits; not what a branch is called. */
export const objectsLikeWords = (digits: string): string[] => [
  ...['git', 'rev-parse', `--disambiguate=${digits}`],
];

/** Prints a line for each file and folder of a commit. */
export const treeOfWords = (commit: string): string[] => [
  ...['git', 'ls-tree', '-r', '-t', '--name-only', '--end-of-options', commit],
];

export const checkOutWords = (commit: string): string[] => [
  ...['git', 'checkout', '--quiet', '--force', '--detach', '--no-recurse-submodules', commit, '--'],
];

/** Names the commit by the version's tag, for builds that ask `git describe`. */
export const nameTagWords = (tag: string, commit: string): string[] => [
  ...['git', 'update-ref', `refs/tags/${tag}`, commit],
];

/**
 * What takes the place of the machine's and the user's git settings. No program is started that a
 * repository could choose: hooks, file system monitors, filters (LFS pointers stay pointers).
 * `safe.directory` is for a local repository that belongs to somebody else: it was named to Floy.
 */
export const SETTINGS = `[core]
	hooksPath = /dev/null
	fsmonitor = false
	attributesFile = /dev/null
	excludesFile = /dev/null
[safe]
	directory = *
[protocol]
	version = 2
[fetch]
	recurseSubmodules = false
[submodule]
	recurse = false
[gc]
	auto = 0
[maintenance]
	auto = false
[advice]
	detachedHead = false
[http]
	lowSpeedLimit = 1
	lowSpeedTime = 60
[user]
	name = Floy
	email = floy@localhost
`;

/** The environment of every git command; `settingsFile` holds `SETTINGS`. */
export function gitEnvironment(settingsFile: string, transport: Transport): Record<string, string> {
  return {
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: settingsFile,
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: transport,
    GIT_LFS_SKIP_SMUDGE: '1',
  };
}

/**
 * What the fetch alone gets, to authenticate by a token. Git asks the helper only when the server
 * demands credentials, and only for this address: a server that redirects elsewhere gets none.
 */
export function tokenEnvironment(repository: Repository, token: string): Record<string, string> {
  const { origin } = new URL(repository.url);
  return {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `credential.${origin}.helper`,
    GIT_CONFIG_VALUE_0: `!printf 'username=%s\\npassword=%s\\n' "$FLOY_GIT_USER" "$FLOY_GIT_TOKEN"; :`,
    FLOY_GIT_USER: repository.user ?? 'x-access-token',
    FLOY_GIT_TOKEN: token,
  };
}

/** An address that stands for a host, so that its name is not looked up again. */
export interface PinnedHost {
  address: string;
  /** How the host's line in `knownHosts` begins. */
  knownAs: string;
}

/**
 * How git calls ssh: nothing of anybody's settings or agent, one key or none, and a host key that
 * has to be the one in `knownHosts`, where that of a host never seen before is written.
 */
export function sshCommand(
  knownHosts: string,
  keyFile: string | undefined,
  pinned?: PinnedHost,
): string {
  const option = (name: string, value: string): string => `-o ${quoted(`${name}=${value}`)}`;
  return [
    'ssh -F /dev/null',
    option('IdentityFile', keyFile ? `"${keyFile}"` : 'none'),
    option('IdentitiesOnly', 'yes'),
    option('IdentityAgent', 'none'),
    option('BatchMode', 'yes'),
    option('StrictHostKeyChecking', 'accept-new'),
    option('UserKnownHostsFile', `"${knownHosts}"`),
    option('GlobalKnownHostsFile', '/dev/null'),
    option('UpdateHostKeys', 'no'),
    option('ConnectTimeout', '15'),
    option('ServerAliveInterval', '15'),
    option('ServerAliveCountMax', '3'),
    ...(pinned ? [option('HostName', pinned.address), option('HostKeyAlias', pinned.knownAs)] : []),
  ].join(' ');
}
