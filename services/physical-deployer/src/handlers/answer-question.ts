import { answerQuestion, beginQuestion } from '@floy/database/repositories/questions';
import { CouldNotTellError } from '@floy/domain';
import type { OnceHandler } from '@floy/messaging/handlers';
import { answer } from '../questions/answer.js';
import { narrowSignal } from '@floy/service-kit/narrowed-signal';
import type { DeployerDeps } from '../release/deployer-deps.js';

/** Answers a live question to hosts, if its time has not passed. */
export function answerQuestionHandler(deps: DeployerDeps): OnceHandler<'answer-question'> {
  return {
    async run({ question_id }, stopping) {
      const begun = await deps.database.transaction((tx) =>
        beginQuestion(tx, deps.sealer, question_id),
      );
      if (!begun) return;
      const narrowed = narrowSignal(stopping);
      const late = new CouldNotTellError('The hosts did not answer in time');
      narrowed.abortAfter(begun.question.timeout * 1000 + 4000, late);
      const given = await answer(deps, begun, narrowed.signal);
      narrowed.release();
      await deps.database.transaction((tx) => answerQuestion(tx, deps.sealer, begun.id, given));
    },
  };
}
