import { CouldNotTellError, VerdictError } from '@floy/domain';
import { createRedactor } from '@floy/secrets/redaction';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PackageRules } from '../package/package-address.js';
import type { BuildUser } from '../sandbox/build-user.js';
import { LimitPassedError } from '../sandbox/exit-verdict.js';
import { handOver } from '../sandbox/folders.js';
import { makeProcessFolder } from '../sandbox/process-folder.js';
import type { Sandbox } from '../sandbox/sandbox.js';
import { createEntryCount } from './commit-entries.js';
import { fetchVerdict, needsWholeFetch } from './git-verdict.js';
import * as words from './git-words.js';
import { guardAddresses } from './guard-addresses.js';
import { findLocalRepository } from './local-repository.js';
import { isTagName, isWholeCommit, parseCommit, parseRepository } from './repository.js';

export interface CheckoutOptions {
  sandbox: Sandbox;
  repository: string;
  /** Whole or abbreviated. */
  commit: string;
  /** A hint where to look for an abbreviated commit; the commit decides, a tag may have moved. */
  gitTag: string;
  gitToken?: string;
  /** A private key as text, or that in base64. */
  gitSshKey?: string;
  /** Where host keys of ssh servers are kept: the first one seen is written, another refused. */
  knownHostsFile: string;
  /** Missing or empty. */
  folder: string;
  /** Whom git runs as for a repository of this machine; the folder becomes that user's. */
  user: BuildUser | undefined;
  /** Whether addresses that are not public may be fetched from. */
  privateGit: boolean;
  /** Exceptions where they may not. */
  addressRules?: PackageRules;
  /** Further variables for git alone: `PATH`, a proxy, certificates. */
  env?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
  /** For each step. */
  timeoutSeconds: number;
  /** How many files and folders a commit may be, for tests. */
  mostEntries?: number;
}

interface GitAnswer {
  exitCode: number;
  output: string;
}

const OUTPUT_KEPT = 64 * 1024;

/**
 * Checks a commit out into a folder and answers its whole name. A server is asked by Floy's user; a
 * repository of this machine is read by the build user, who sees nothing of the machine but that.
 * Throws `VerdictError` when that cannot work (no such commit or repository, credentials refused, too large)
 * and `CouldNotTellError` when the server was not reached. Submodules and LFS objects are not
 * fetched.
 */
export async function checkout(options: CheckoutOptions): Promise<{ commit: string }> {
  const { sandbox, folder, gitTag, gitToken, gitSshKey, knownHostsFile } = options;
  const repository = parseRepository(options.repository);
  const wanted = parseCommit(options.commit);
  if (gitTag !== '' && !isTagName(gitTag)) {
    throw new VerdictError(`${JSON.stringify(gitTag)} cannot be the name of a tag`);
  }
  if (gitToken !== undefined && /[\p{Cc}]/u.test(gitToken)) {
    throw new VerdictError('git_token holds a line break or another control character');
  }
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0)
    throw new VerdictError(`the folder ${folder} is not empty`);
  const local =
    repository.transport === 'file' ? await findLocalRepository(repository.url) : undefined;
  const guard =
    options.privateGit || local !== undefined
      ? undefined
      : await guardAddresses(repository, options.addressRules ?? { hosts: new Set() });
  const own = await makeProcessFolder('git');
  const redactor = createRedactor();
  redactor.add([gitToken, gitSshKey].filter((secret) => secret !== undefined));

  const git = async (
    line: string[],
    env: Record<string, string> = {},
    look?: (text: string) => void,
  ): Promise<GitAnswer> => {
    let output = '';
    const how = {
      name: `git ${line[1]}`,
      words: line,
      env: { ...options.env, ...words.gitEnvironment(settings, repository.transport), ...env },
      timeoutSeconds: options.timeoutSeconds,
      signal: options.signal,
      onOutput: (text: string): void => {
        output = (output + text).slice(-OUTPUT_KEPT);
        look?.(text);
      },
    };
    const { exitCode } = await (local === undefined
      ? sandbox.runProgram({ ...how, cwd: folder })
      : sandbox.runAlone({ ...how, user: options.user, folders }));
    if (exitCode === 127) throw new VerdictError('git is not installed where builds run');
    return { exitCode, output: redactor.redact(output) };
  };
  const done = async (line: string[], look?: (text: string) => void): Promise<void> => {
    const { exitCode, output } = await git(line, {}, look);
    if (exitCode !== 0) throw new CouldNotTellError(`git ${line[1]} failed: ${output.trim()}`);
  };

  const folders = { build: folder, repository: local ?? '', settings: own.path };
  const seen = local === undefined ? undefined : sandbox.seen(folders);
  const source = seen ? { ...repository, url: seen.repository ?? '' } : repository;
  const settings = join(seen?.settings ?? own.path, 'settings');
  try {
    await writeFile(join(own.path, 'settings'), words.SETTINGS, { mode: 0o644 });
    if (seen) {
      // No key comes to lie beside the settings here.
      await chmod(own.path, 0o711);
      await handOver(folder, options.user);
    }
    const access: Record<string, string> = {};
    if (repository.transport === 'https' && gitToken) {
      Object.assign(access, words.tokenEnvironment(repository, gitToken));
    }
    if (repository.transport === 'ssh') {
      await mkdir(dirname(knownHostsFile), { recursive: true, mode: 0o700 });
      const keyFile = gitSshKey === undefined ? undefined : join(own.path, 'key');
      if (keyFile) await writeFile(keyFile, keyText(gitSshKey ?? ''), { mode: 0o600 });
      access['GIT_SSH_COMMAND'] = words.sshCommand(knownHostsFile, keyFile, guard?.pinned);
      access['GIT_SSH_VARIANT'] = 'ssh';
    }
    const fetch = (refs: string[], depth?: number): Promise<GitAnswer> =>
      git(words.fetchWords(source, refs, depth), { ...access, ...guard?.environment }).catch(
        (error: unknown) => {
          // A limit that a command passes is a verdict; here it is the network that was too slow.
          if (!(error instanceof LimitPassedError)) throw error;
          throw new CouldNotTellError(`fetching from ${repository.url}: ${error.message}`);
        },
      );

    await done(words.initWords(seen?.build ?? folder));
    const commit = await find({ fetch, git, wanted, gitTag, repository }).catch(
      (error: unknown) => {
        throw guard?.refusal() ?? error;
      },
    );
    await done(words.treeOfWords(commit), createEntryCount(options.mostEntries));
    await done(words.checkOutWords(commit));
    if (gitTag !== '') await done(words.nameTagWords(gitTag, commit));
    return { commit };
  } finally {
    await guard?.close();
    await own.remove();
  }
}

interface Search {
  fetch: (refs: string[], depth?: number) => Promise<GitAnswer>;
  git: (line: string[]) => Promise<GitAnswer>;
  wanted: string;
  gitTag: string;
  repository: ReturnType<typeof parseRepository>;
}

/** Fetches as little as the server allows, until the commit is there. */
async function find({ fetch, git, wanted, gitTag, repository }: Search): Promise<string> {
  const whole = isWholeCommit(wanted);
  const refs = whole ? [wanted] : gitTag === '' ? [] : [`refs/tags/${gitTag}`];
  let depth: number | undefined;
  if (refs.length > 0) {
    const first = await fetch(refs, 1);
    if (first.exitCode === 0) {
      const named = await git(words.commitOfWords(whole ? wanted : 'FETCH_HEAD'));
      const commit = named.output.trim();
      if (named.exitCode === 0 && (whole || commit.startsWith(wanted))) return commit;
      depth = words.WHOLE_HISTORY;
    } else if (!needsWholeFetch(first.output)) {
      throw fetchVerdict(repository, first.output);
    }
  }
  const all = await fetch(words.ALL_REFS, depth);
  if (all.exitCode !== 0) throw fetchVerdict(repository, all.output);
  const commits = new Set<string>();
  for (const name of (await git(words.objectsLikeWords(wanted))).output.split('\n')) {
    if (!name.startsWith(wanted)) continue;
    const { exitCode, output } = await git(words.commitOfWords(name));
    if (exitCode === 0) commits.add(output.trim());
  }
  const [commit, another] = commits;
  if (commit === undefined) {
    throw new VerdictError(`there is no commit ${wanted} in ${repository.url}`);
  }
  if (another !== undefined) {
    throw new VerdictError(
      `the commit ${wanted} is ambiguous in ${repository.url}: ${[...commits].join(', ')}`,
    );
  }
  return commit;
}

/** Configurations hold keys as text or in base64; ssh reads text that ends with a line break. */
function keyText(key: string): string {
  const text = key.includes('PRIVATE KEY') ? key : Buffer.from(key, 'base64').toString('utf8');
  if (!text.includes('PRIVATE KEY')) throw new VerdictError('git_ssh_key holds no private key');
  return `${text.replaceAll('\r\n', '\n').trimEnd()}\n`;
}
