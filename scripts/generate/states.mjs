import { isFinal, transitions } from '../../libs/domain/dist/index.js';
import { code, heading, table } from './markdown.mjs';

const SOURCE = 'libs/domain/src/states.ts';

/** Of every state. A state without a meaning, or a meaning without a state, fails. */
const meanings = {
  deployment: {
    pending: 'Queued in its environment, behind those that share an application with it.',
    running: 'Admitted: it has its slots and the sealed snapshot of what it will do.',
    success: 'Every instance was seen at the version and healthy.',
    failed: 'Ended without success, or cancelled. Each instance has a verdict once it is settled.',
    rolled_back:
      'It failed and everything it had touched is back on what was last good there; or it succeeded and a later rollback returned its targets.',
  },
  workflow: {
    pending: 'Not planned yet.',
    running: 'Its tasks are planned and handed out as they become ready.',
    success: 'All tasks succeeded.',
    failed: 'A task failed, or the deployment was rolled back.',
    cancelled: 'Its deployment was cancelled.',
  },
  task: {
    pending: 'Waits for what it depends on, or for a runner.',
    running: 'A runner has its lease; a deploy task runs while its release does.',
    success: 'Done. A build whose artifact exists already gets here at once.',
    failed: 'Said no, ran out of time, or was never reached (`not_run` in its result).',
  },
  release: {
    pending: 'No deployer has begun.',
    in_progress: 'A deployer has begun on an instance.',
    completed: 'Failures stayed within `max_failures`.',
    failed: 'More instances failed, or it was aborted.',
    cancelled: 'Its deployment was cancelled.',
  },
  instance: {
    pending: 'Nothing has been sent.',
    staging: 'Handed to a deployer to receive the release beside what serves.',
    staged: 'Has the release; waits for its batch.',
    switching: 'Handed to a deployer to switch, restart and be seen healthy.',
    succeeded: 'Runs the release and was seen healthy.',
    failed: 'A step or health said no, the outcome could not be told, or time ran out.',
    cancelled: 'Not reached, or ended by a cancel.',
  },
};

export async function statesText() {
  const sections = Object.entries(transitions).map(([machine, edges]) => {
    const unknown = Object.keys(meanings[machine]).filter((state) => !(state in edges));
    if (unknown.length > 0) throw new Error(`${machine} has no state ${unknown}`);
    const rows = Object.entries(edges).map(([state, next]) => {
      const meaning = meanings[machine][state];
      if (!meaning) throw new Error(`${machine} ${state} has no meaning in states.mjs`);
      const end = isFinal(machine, state) ? 'end' : '';
      return [code(state), end, next.map(code).join(', '), meaning];
    });
    return `## ${machine}\n\n${table(['state', '', 'may become', 'meaning'], rows)}`;
  });
  const intro =
    `From [${SOURCE}](../../${SOURCE}). Nothing but ` +
    '[transitions](../../libs/database/src/transitions) writes a status, by compare-and-set against ' +
    'this table, and a trigger made from it refuses any other change ' +
    '([migrate.ts](../../libs/database/src/migrate.ts)). The edges out of an end are decisions of a ' +
    'user: a rollback marks what it rolled back, a retry reopens.';
  return [heading('States', intro), ...sections].join('\n');
}
