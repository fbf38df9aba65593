import { gitTagProblem, repositoryProblem } from '@floy/contracts';
import { applicationReaching } from '@floy/database/repositories/applications';
import { askForTag } from '@floy/database/repositories/questions';
import { InvalidRequestError, UnavailableError } from '@floy/domain';
import type { Scope } from '../scope.js';
import { checkFields } from './check-fields.js';
import { answerTo } from './questions.js';

/** How long a runner may take to ask the server of a repository. Seconds. */
const TIMEOUT = 15;

/**
 * Asks a build-runner, in the request's transaction, at which commit a repository has a tag, by the
 * address and key of an application of that repository. The answer is waited for after the commit.
 * Throws InvalidRequestError naming `git_commit` where the commit cannot be known.
 */
export async function askForCommit(
  scope: Scope,
  gitTag: string,
  repository: string,
): Promise<() => Promise<string>> {
  checkFields({ git_tag: gitTagProblem(gitTag), repository: repositoryProblem(repository) });
  const { deps, knex } = scope;
  const applicationId = await applicationReaching(knex, repository);
  if (applicationId === undefined) {
    throw required('no application of this repository exists by which the tag could be looked up');
  }
  const question = { kind: 'resolve-tag', timeout: TIMEOUT, applicationId, gitTag } as const;
  const id = await scope.transact((tx) => askForTag(tx, deps.sealer, question));
  return async () => {
    const answer = await answerTo(deps, id, false).catch((error: unknown) => {
      if (!(error instanceof UnavailableError)) throw error;
      throw required(`no build-runner looked the tag up within ${TIMEOUT} s`);
    });
    if (answer.ok) return answer.value as string;
    throw required(answer.message);
  };
}

function required(why: string): InvalidRequestError {
  const git_commit = `is required: ${why}`;
  return new InvalidRequestError(`The body is invalid: git_commit ${git_commit}`, { git_commit });
}
