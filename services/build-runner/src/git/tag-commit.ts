import { VerdictError } from '@floy/domain';
import { withGit, type GitAccess, type GitSession } from './git-session.js';
import { fetchVerdict } from './git-verdict.js';
import { tagWords } from './git-words.js';
import { isTagName } from './repository.js';

/** Throws `VerdictError` for what cannot be the name of a tag. */
export function checkTagName(tag: string): void {
  if (isTagName(tag)) return;
  throw new VerdictError(`${JSON.stringify(tag)} cannot be the name of a tag`);
}

/** The commit that a repository has a tag at, undefined where it has none of that name. */
export async function tagCommit(access: GitAccess, tag: string): Promise<string | undefined> {
  checkTagName(tag);
  return withGit(access, (session) => tagInRepository(session, tag));
}

/**
 * Asks the server where it has a tag: an annotated one stands for the commit that it was put on.
 * Throws `VerdictError` and `CouldNotTellError` as a fetch does.
 */
export async function tagInRepository(
  { repository, source, ask }: GitSession,
  tag: string,
): Promise<string | undefined> {
  const { exitCode, output } = await ask(tagWords(source, tag));
  if (exitCode !== 0) throw fetchVerdict(repository, output);
  const found = new Map<string, string>();
  for (const line of output.split('\n')) {
    const [, commit, name] = /^([0-9a-f]{40,64})\t(.+)$/.exec(line) ?? [];
    if (commit !== undefined && name !== undefined) found.set(name, commit);
  }
  return found.get(`refs/tags/${tag}^{}`) ?? found.get(`refs/tags/${tag}`);
}
