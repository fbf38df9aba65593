import type { QuestionAnswer, TagQuestion } from '@floy/contracts';
import { resolveBuildSettings, secretTexts } from '@floy/contracts';
import { createApplicationRepository } from '@floy/database/repositories/applications';
import { answerQuestion, beginQuestion } from '@floy/database/repositories/questions';
import { CouldNotTellError, FloyError, messageOf } from '@floy/domain';
import type { OnceHandler } from '@floy/messaging/handlers';
import { createRedactor } from '@floy/secrets/redaction';
import { narrowSignal } from '@floy/service-kit/narrowed-signal';
import { tagCommit } from '../git/tag-commit.js';
import type { RunnerDeps } from '../task/runner-deps.js';
import { makeWorkspace } from '../task/workspace.js';

/** Says at which commit the repository of an application has a tag, if that is still asked for. */
export function resolveTagHandler(deps: RunnerDeps): OnceHandler<'resolve-tag'> {
  return {
    async run({ question_id }, stopping) {
      const begun = await deps.database.transaction((tx) =>
        beginQuestion(tx, deps.sealer, question_id),
      );
      if (!begun) return;
      // Only this kind is ever sent here.
      const question = begun.question as TagQuestion;
      const narrowed = narrowSignal(stopping);
      const late = new CouldNotTellError(`the repository did not answer in ${question.timeout} s`);
      narrowed.abortAfter(question.timeout * 1000, late);
      const given = await answer(deps, question, narrowed.signal);
      narrowed.release();
      await deps.database.transaction((tx) => answerQuestion(tx, deps.sealer, begun.id, given));
    },
  };
}

/** Never throws: that the repository cannot be asked is an answer too. */
async function answer(
  deps: RunnerDeps,
  { applicationId, gitTag, timeout }: TagQuestion,
  signal: AbortSignal,
): Promise<QuestionAnswer> {
  const redactor = createRedactor();
  try {
    const applications = createApplicationRepository(deps.database.knex, deps.sealer);
    const { repository, config } = await applications.getById(applicationId);
    redactor.add(secretTexts(config));
    const { gitToken, gitSshKey } = resolveBuildSettings({}, config);
    const workspace = await makeWorkspace(deps.sandbox);
    try {
      const { sandbox, knownHostsFile, privateGit, packageRules: addressRules } = deps;
      const value = await tagCommit(
        {
          ...{ sandbox, repository, knownHostsFile, privateGit, addressRules, signal },
          ...(gitToken === undefined ? {} : { gitToken }),
          ...(gitSshKey === undefined ? {} : { gitSshKey }),
          ...{ folder: workspace.source, user: workspace.user, timeoutSeconds: timeout },
        },
        gitTag,
      );
      if (value !== undefined) return { ok: true, value };
      return refused(`${redactor.redact(repository)} has no tag ${gitTag}`);
    } finally {
      await workspace.remove();
    }
  } catch (error) {
    const message = redactor.redact(messageOf(error));
    if (!(error instanceof FloyError)) {
      deps.logger.error({ reason: message, kind: 'resolve-tag' }, 'A question failed');
    }
    return refused(message);
  }
}

const refused = (message: string): QuestionAnswer => ({
  ...{ ok: false, refused: 'unavailable', message, details: {} },
});
