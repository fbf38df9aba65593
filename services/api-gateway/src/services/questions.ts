import { deployerOf, type Deployers, type Environment, type Question } from '@floy/contracts';
import type { QuestionAnswer } from '@floy/contracts';
import { askQuestion, lookAtQuestion } from '@floy/database/repositories/questions';
import { ConflictError, InvalidRequestError, UnavailableError } from '@floy/domain';
import type { GatewayDeps, Scope } from '../scope.js';

/** A question that changes something was begun, and whether it was carried out is not known. */
export class OutcomeUnknownError extends UnavailableError {}

/** How often an unanswered question is looked at when no nudge comes. Milliseconds. */
const POLL_MS = 1000;

/**
 * Whether a question changes something where it is asked. Throws InvalidRequestError where the
 * deployer of the environment does not answer that kind.
 */
export function changesTargets(
  deployers: Deployers,
  environment: Pick<Environment, 'name' | 'type'>,
  kind: string,
): boolean {
  const { questions } = deployerOf(deployers, environment.type);
  const known = Object.hasOwn(questions, kind) ? questions[kind] : undefined;
  if (known !== undefined) return known.changes;
  const reason = `is a ${environment.type} environment, which does not answer ${kind}`;
  throw new InvalidRequestError(`Environment ${environment.name} ${reason}`, { id: reason });
}

/**
 * Asks the deployer of an environment something in the request's transaction. The answer, a value
 * as the deployer makes it for that kind, is waited for after the commit. That wait throws
 * ConflictError while the target is in work, UnavailableError when no answer came in time,
 * OutcomeUnknownError when that leaves open whether something was changed.
 */
export async function ask<T>(
  scope: Scope,
  environment: Environment,
  question: Question,
): Promise<() => Promise<T>> {
  const { deps } = scope;
  const changes = changesTargets(deps.database.catalogues.deployers, environment, question.kind);
  const id = await scope.transact((tx) => askQuestion(tx, deps.sealer, environment, question));
  return async () => {
    const answer = await answerTo(deps, id, changes);
    if (answer.ok) return answer.value as T;
    throw refusal(answer);
  };
}

/**
 * Waits for the answer to a question. Throws UnavailableError when none came in time, OutcomeUnknownError
 * when that leaves open whether something was changed.
 */
export async function answerTo(
  deps: GatewayDeps,
  id: string,
  changes: boolean,
): Promise<QuestionAnswer> {
  for (;;) {
    const nudged = nudge(deps, id);
    try {
      const looked = await lookAtQuestion(deps.database.knex, deps.sealer, id);
      if (looked.state === 'answered') return looked.answer;
      if (looked.state === 'lost') throw lost(changes && looked.begun);
      await nudged.arrived;
    } finally {
      nudged.stop();
    }
  }
}

/** Listening begins before looking, so that an answer between the two is not missed. */
function nudge(deps: GatewayDeps, id: string): { arrived: Promise<void>; stop: () => void } {
  let stop = (): void => {};
  const arrived = new Promise<void>((resolve) => {
    const off = deps.listener.on('question', id, resolve);
    const timer = setTimeout(resolve, POLL_MS);
    stop = () => {
      off();
      clearTimeout(timer);
    };
  });
  return { arrived, stop };
}

function lost(unknown: boolean): Error {
  if (!unknown) return new UnavailableError('No deployer answered in time; nothing was done');
  return new OutcomeUnknownError('No answer came in time: whether it was carried out is not known');
}

function refusal({ refused, message, details }: Extract<QuestionAnswer, { ok: false }>): Error {
  const errors = {
    invalid: InvalidRequestError,
    conflict: ConflictError,
    unavailable: UnavailableError,
  };
  return new errors[refused](message, details);
}
