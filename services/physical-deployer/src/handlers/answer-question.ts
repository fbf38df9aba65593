import { answerQuestion, beginQuestion } from '@floy/database/repositories/questions';
import type { OnceHandler } from '@floy/messaging/handlers';
import { answer } from '../questions/answer.js';
import type { DeployerDeps } from '../release/deployer-deps.js';

/** Answers a live question to hosts, if its time has not passed. */
export function answerQuestionHandler(deps: DeployerDeps): OnceHandler<'answer-question'> {
  return {
    async run({ question_id }, stopping) {
      const begun = await deps.database.transaction((tx) =>
        beginQuestion(tx, deps.sealer, question_id),
      );
      if (!begun) return;
      const late = AbortSignal.timeout(begun.question.timeout * 1000 + 4000);
      const signal = AbortSignal.any([stopping, late]);
      const given = await answer(deps, begun.environmentId, begun.question, signal);
      await deps.database.transaction((tx) => answerQuestion(tx, deps.sealer, begun.id, given));
    },
  };
}
