import { VerdictError } from '@floy/domain';
import { createEntryCount } from './commit-entries.js';
import { withGit, type GitAccess, type GitSession } from './git-session.js';
import { fetchVerdict, needsWholeFetch } from './git-verdict.js';
import * as words from './git-words.js';
import { isWholeCommit, parseCommit } from './repository.js';
import { checkTagName, tagInRepository } from './tag-commit.js';

export interface CheckoutOptions extends GitAccess {
  /** Whole or abbreviated. */
  commit: string;
  /** A hint where to look for an abbreviated commit; the commit decides, a tag may have moved. */
  gitTag: string;
  /** Refuse a commit other than the one that the repository has the tag at. */
  compareTag?: boolean;
  /** How many files and folders a commit may be, for tests. */
  mostEntries?: number;
}

/** What was checked out. */
export interface CheckedOut {
  /** Its whole name. */
  readonly commit: string;
  /** Whether the tag was asked for, and the repository has none of that name. */
  readonly lacksTag: boolean;
}

/**
 * Checks a commit out into a folder; see `withGit` for who does it.
 * Throws `VerdictError` when that cannot work (no such commit or repository, credentials refused, too large)
 * and `CouldNotTellError` when the server was not reached. Submodules and LFS objects are not
 * fetched.
 */
export async function checkout(options: CheckoutOptions): Promise<CheckedOut> {
  const { gitTag, compareTag = false } = options;
  const wanted = parseCommit(options.commit);
  if (gitTag !== '') checkTagName(gitTag);
  return withGit(options, async (session) => {
    const commit = await find(session, wanted, gitTag);
    const asked = compareTag && gitTag !== '';
    const tagged = asked ? await tagInRepository(session, gitTag) : undefined;
    if (tagged !== undefined && tagged !== commit) {
      throw new VerdictError(
        `the tag ${gitTag} of ${session.repository.url} is at the commit ${tagged}, and the version ` +
          `says ${commit}: make the version anew with the right commit, or without one`,
      );
    }
    await session.done(words.treeOfWords(commit), createEntryCount(options.mostEntries));
    await session.done(words.checkOutWords(commit));
    if (gitTag !== '') await session.done(words.nameTagWords(gitTag, commit));
    return { commit, lacksTag: asked && tagged === undefined };
  });
}

/** Fetches as little as the server allows, until the commit is there. */
async function find(session: GitSession, wanted: string, gitTag: string): Promise<string> {
  const { repository, source, git, ask } = session;
  const fetch = (refs: string[], depth?: number) => ask(words.fetchWords(source, refs, depth));
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
