import { rememberBuild } from '@floy/database/builds';
import { createTaskLog, type TaskLog } from '@floy/database/task-log';
import type { Transaction } from '@floy/database/transaction';
import { taskScheduler } from '@floy/database/transitions/advance';
import { failedResult } from '@floy/database/transitions/end-task';
import { beginTask } from '@floy/database/transitions/task-work';
import { CouldNotTellError, isAnswer, messageOf } from '@floy/domain';
import type { LongHandler, Work } from '@floy/messaging/handlers';
import { createRedactor } from '@floy/secrets/redaction';
import { lastLinesOf } from '../task/last-lines.js';
import { runBuild } from '../task/run-build.js';
import { runTest } from '../task/run-test.js';
import type { TaskOutcome } from '../task/task-outcome.js';
import type { RunnerDeps } from '../task/runner-deps.js';
import { loadTask, type TaskContext } from '../task/task-context.js';
import { makeWorkspace } from '../task/workspace.js';

/** How often what could not be carried out is begun again by this worker. */
const repeats = 2;

/** Builds or tests one application. */
export function runTaskHandler(deps: RunnerDeps): LongHandler<'run-task'> {
  return {
    begin: (tx, ids) => beginTask(tx, idsOf(ids)),
    async run(work, ids) {
      const context = await work.throughOutages(() =>
        loadTask(deps.database, deps.sealer, ids.task_id),
      );
      const redactor = createRedactor();
      redactor.add(context.secrets);
      const forget = deps.redactor.add(context.secrets);
      const log = createTaskLog(deps.taskLogs, context.task.id, {
        source: context.task.type,
        redactor,
      });
      const outcome = await carryOut(deps, work, context, log, redactor.redact).finally(() =>
        log.flush().finally(forget),
      );
      work.signal.throwIfAborted();
      await work.finish((tx) => write(tx, ids.task_id, outcome));
    },
    dead: (tx, ids, reason) => write(tx, ids.task_id, failure(`The task was given up: ${reason}`)),
  };
}

/** Writes how a task has ended; the scheduler folds what follows. */
async function write(tx: Transaction, taskId: string, outcome: TaskOutcome): Promise<void> {
  const { status, result, kept } = outcome;
  if (outcome.build) await rememberBuild(tx, outcome.build);
  await taskScheduler(tx).updateTaskStatus(taskId, status, result, kept);
}

function failure(message: string): TaskOutcome {
  return {
    status: 'failed',
    result: failedResult(message, false),
    kept: { error_message: message },
  };
}

/** A verdict ends the task; what could not be carried out (a cut connection) is tried again. */
async function carryOut(
  deps: RunnerDeps,
  work: Work,
  context: TaskContext,
  log: TaskLog,
  redact: (text: string) => string,
): Promise<TaskOutcome> {
  for (let attempt = 0; ; attempt += 1) {
    const workspace = await makeWorkspace(deps.sandbox);
    const run = { deps, context, workspace, signal: work.signal, log: written(log), redact };
    try {
      return await (context.task.type === 'build' ? runBuild(run) : runTest(run));
    } catch (error) {
      work.signal.throwIfAborted();
      if (!isAnswer(error)) throw error;
      const message = redact(messageOf(error));
      log.write(`${message}\n`);
      if (error instanceof CouldNotTellError && attempt < repeats) continue;
      return failure(`${message}${lastLinesOf(error)}`);
    } finally {
      await workspace.remove();
    }
  }
}

/** A command that prints more than can be stored is not read on until it is. */
function written(log: TaskLog): (text: string) => Promise<void> {
  return async (text) => {
    log.write(text);
    await log.room();
  };
}

function idsOf(ids: { task_id: string; deployment_id: string }) {
  return { taskId: ids.task_id, deploymentId: ids.deployment_id };
}
