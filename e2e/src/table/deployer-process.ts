import { consume } from '@floy/messaging/consume';
import { runAlone } from '@floy/service-kit/run-alone';
import { coreSettings } from '@floy/service-kit/settings';
import { Type } from 'typebox';
import { tableCatalogues } from './table-catalogues.js';
import {
  answerHandler,
  lookHandler,
  stageHandler,
  stopHandler,
  switchHandler,
} from './table-handlers.js';

/** The types of `consume` know Floy's own queues and kinds; these belong to a test. */
const consumeTable = consume as unknown as (
  deps: Parameters<typeof consume>[0],
  queue: string,
  handlers: Record<string, unknown>,
  options: { concurrency: number },
) => ReturnType<typeof consume>;

await runAlone({
  name: 'table-deployer',
  settings: Type.Object(coreSettings),
  env: process.env,
  catalogues: tableCatalogues,
  async compose({ deps }) {
    const many = { concurrency: 16 };
    const consumers = [
      consumeTable(
        deps,
        'table-deployer',
        {
          'stage-row': stageHandler(deps),
          'switch-row': switchHandler(deps),
          'look-row': lookHandler(deps),
        },
        many,
      ),
      consumeTable(deps, 'table-stops', { 'stop-row': stopHandler(deps) }, many),
      consumeTable(deps, 'table-questions', { 'answer-row-question': answerHandler(deps) }, many),
    ];
    return { stop: async () => void (await Promise.all(consumers.map((each) => each.stop()))) };
  },
});
