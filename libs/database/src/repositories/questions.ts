import { deployerOf, type Question, type QuestionAnswer, type TagQuestion } from '@floy/contracts';
import type { Sealer } from '@floy/secrets/sealing';
import type { Knex } from 'knex';
import { newId } from '../ids.js';
import type { Transaction } from '../transaction.js';

/** The largest answer that is kept, in bytes; longer output is cut by who answers. */
export const LARGEST_ANSWER = 1024 * 1024;

interface QuestionRow {
  readonly id: string;
  readonly environment_id: string | null;
  readonly request: Buffer;
  readonly answer: Buffer | null;
  readonly begun_at: Date | null;
  readonly answer_by: Date;
  readonly overdue: boolean;
}

/** A question that a deployer has begun to answer. */
export interface BegunQuestion {
  readonly id: string;
  /** Null where no deployer is asked. */
  readonly environmentId: string | null;
  readonly question: Question;
  readonly answerBy: Date;
}

/** How a question stands. `lost` means that no answer will come any more. */
export type QuestionState =
  | { readonly state: 'waiting'; readonly begun: boolean }
  | { readonly state: 'answered'; readonly answer: QuestionAnswer }
  | { readonly state: 'lost'; readonly begun: boolean };

/** Asks the deployer of an environment: the row, and the message that carries its id. Answers the id. */
export async function askQuestion(
  tx: Transaction,
  sealer: Sealer,
  environment: { readonly id: string; readonly type: string },
  question: Question,
): Promise<string> {
  const { messages } = deployerOf(tx.deployers, environment.type);
  const id = await keepQuestion(tx, sealer, environment.id, question);
  tx.send(messages.answer, { question_id: id });
  return id;
}

/** Asks a build-runner at which commit a repository has a tag. Answers the question's id. */
export async function askForTag(
  tx: Transaction,
  sealer: Sealer,
  question: TagQuestion,
): Promise<string> {
  const id = await keepQuestion(tx, sealer, null, question);
  tx.send('resolve-tag', { question_id: id });
  return id;
}

async function keepQuestion(
  tx: Transaction,
  sealer: Sealer,
  environmentId: string | null,
  question: Question,
): Promise<string> {
  const id = newId('qst');
  await tx.knex('questions').insert({
    id,
    kind: question.kind,
    environment_id: environmentId,
    request: sealer.seal(JSON.stringify(question), place('request', id)),
    answer_by: tx.knex.raw('clock_timestamp() + make_interval(secs => ?)', [question.timeout]),
  });
  return id;
}

/** Begins to answer, once: undefined where it was begun already, is overdue or gone. */
export async function beginQuestion(
  tx: Transaction,
  sealer: Sealer,
  id: string,
): Promise<BegunQuestion | undefined> {
  const row = await tx.row<QuestionRow>(
    `UPDATE questions SET begun_at = clock_timestamp()
     WHERE id = ? AND begun_at IS NULL AND answer_by > clock_timestamp() RETURNING *`,
    [id],
  );
  if (row === undefined) return undefined;
  const text = sealer.open(row.request, place('request', id)).toString('utf8');
  const question = JSON.parse(text) as Question;
  return { id, environmentId: row.environment_id, question, answerBy: row.answer_by };
}

/** Writes an answer and wakes who asked. */
export async function answerQuestion(
  tx: Transaction,
  sealer: Sealer,
  id: string,
  answer: QuestionAnswer,
): Promise<void> {
  const sealed = sealer.seal(JSON.stringify(answer), place('answer', id));
  await tx.execute(
    `UPDATE questions SET answer = ?, answered_at = clock_timestamp()
     WHERE id = ? AND answered_at IS NULL`,
    [sealed, id],
  );
  tx.nudge({ topic: 'question', id });
}

/** Looks whether a question was answered. One that began may be answered until 5 s after its time. */
export async function lookAtQuestion(
  knex: Knex,
  sealer: Sealer,
  id: string,
): Promise<QuestionState> {
  const grace = "CASE WHEN begun_at IS NULL THEN interval '0' ELSE interval '5 seconds' END";
  const [row] = (await knex('questions')
    .where({ id })
    .select('*', knex.raw(`clock_timestamp() > answer_by + ${grace} AS overdue`))) as QuestionRow[];
  if (row === undefined) return { state: 'lost', begun: true };
  const begun = row.begun_at !== null;
  if (row.answer === null) return { state: row.overdue ? 'lost' : 'waiting', begun };
  const text = sealer.open(row.answer, place('answer', id)).toString('utf8');
  return { state: 'answered', answer: JSON.parse(text) as QuestionAnswer };
}

/** Removes questions a minute after their time. */
export async function pruneQuestions(knex: Knex): Promise<void> {
  await knex('questions').whereRaw("answer_by < clock_timestamp() - interval '1 minute'").delete();
}

function place(column: 'request' | 'answer', id: string): string {
  return `questions.${column}:${id}`;
}
