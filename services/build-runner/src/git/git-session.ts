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
import * as words from './git-words.js';
import { guardAddresses } from './guard-addresses.js';
import { findLocalRepository } from './local-repository.js';
import { parseRepository, type Repository } from './repository.js';

/** How a repository is reached, and where git works meanwhile. */
export interface GitAccess {
  sandbox: Sandbox;
  repository: string;
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
}

/** How a git command ended; `output` holds no credentials. */
export interface GitAnswer {
  exitCode: number;
  output: string;
}

/** An empty repository in the folder, and the way to the one that it is made from. */
export interface GitSession {
  /** As it is shown. */
  readonly repository: Repository;
  /** As git finds it. */
  readonly source: Repository;
  /** Runs a command that asks nobody. */
  git(line: string[]): Promise<GitAnswer>;
  /** The same for one that has to succeed; `look` gets its output as it comes. */
  done(line: string[], look?: (text: string) => void): Promise<void>;
  /** Runs a command that asks the server, with what it takes to be let in. */
  ask(line: string[]): Promise<GitAnswer>;
}

const OUTPUT_KEPT = 64 * 1024;

/**
 * Makes an empty repository in the folder and does `work` with it. A server is asked by Floy's user; a
 * repository of this machine is read by the build user, who sees nothing of the machine but that.
 * Git never runs where there is no repository yet: it would look for one in the folders above, and
 * believe its settings. Throws `VerdictError` and `CouldNotTellError` as `checkout` does.
 */
export async function withGit<T>(
  access: GitAccess,
  work: (session: GitSession) => Promise<T>,
): Promise<T> {
  const { sandbox, folder, gitToken, gitSshKey, knownHostsFile } = access;
  const repository = parseRepository(access.repository);
  if (gitToken !== undefined && /[\p{Cc}]/u.test(gitToken)) {
    throw new VerdictError('git_token holds a line break or another control character');
  }
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0)
    throw new VerdictError(`the folder ${folder} is not empty`);
  const local =
    repository.transport === 'file' ? await findLocalRepository(repository.url) : undefined;
  const guard =
    access.privateGit || local !== undefined
      ? undefined
      : await guardAddresses(repository, access.addressRules ?? { hosts: new Set() });
  const own = await makeProcessFolder('git');
  const redactor = createRedactor();
  redactor.add([gitToken, gitSshKey].filter((secret) => secret !== undefined));

  const run = async (
    line: string[],
    env: Record<string, string> = {},
    look?: (text: string) => void,
  ): Promise<GitAnswer> => {
    let output = '';
    const how = {
      name: `git ${line[1]}`,
      words: line,
      env: { ...access.env, ...words.gitEnvironment(settings, repository.transport), ...env },
      timeoutSeconds: access.timeoutSeconds,
      signal: access.signal,
      onOutput: (text: string): void => {
        output = (output + text).slice(-OUTPUT_KEPT);
        look?.(text);
      },
    };
    const { exitCode } = await (local === undefined
      ? sandbox.runProgram({ ...how, cwd: folder })
      : sandbox.runAlone({ ...how, user: access.user, folders }));
    if (exitCode === 127) throw new VerdictError('git is not installed where builds run');
    return { exitCode, output: redactor.redact(output) };
  };
  const done = async (line: string[], look?: (text: string) => void): Promise<void> => {
    const { exitCode, output } = await run(line, {}, look);
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
      await handOver(folder, access.user);
    }
    const credentials: Record<string, string> = {};
    if (repository.transport === 'https' && gitToken) {
      Object.assign(credentials, words.tokenEnvironment(repository, gitToken));
    }
    if (repository.transport === 'ssh') {
      await mkdir(dirname(knownHostsFile), { recursive: true, mode: 0o700 });
      const keyFile = gitSshKey === undefined ? undefined : join(own.path, 'key');
      if (keyFile) await writeFile(keyFile, keyText(gitSshKey ?? ''), { mode: 0o600 });
      credentials['GIT_SSH_COMMAND'] = words.sshCommand(knownHostsFile, keyFile, guard?.pinned);
      credentials['GIT_SSH_VARIANT'] = 'ssh';
    }
    const ask = (line: string[]): Promise<GitAnswer> =>
      run(line, { ...credentials, ...guard?.environment }).catch((error: unknown) => {
        // A limit that a command passes is a verdict; here it is the network that was too slow.
        if (!(error instanceof LimitPassedError)) throw error;
        throw new CouldNotTellError(`asking ${repository.url}: ${error.message}`);
      });

    await done(words.initWords(seen?.build ?? folder));
    return await work({ repository, source, git: (line) => run(line), done, ask });
  } catch (error) {
    throw guard?.refusal() ?? error;
  } finally {
    await guard?.close();
    await own.remove();
  }
}

/** Configurations hold keys as text or in base64; ssh reads text that ends with a line break. */
function keyText(key: string): string {
  const text = key.includes('PRIVATE KEY') ? key : Buffer.from(key, 'base64').toString('utf8');
  if (!text.includes('PRIVATE KEY')) throw new VerdictError('git_ssh_key holds no private key');
  return `${text.replaceAll('\r\n', '\n').trimEnd()}\n`;
}
