import { expect, it } from '@jest/globals';
import { createHistoryObserver } from './history-observer.js';
import type { Logger } from './logger.js';
import { createMetrics } from './metrics.js';

it('a rollout leaves a line per phase and a count per event', async () => {
  const lines: { level: string; fields: object; message: string }[] = [];
  const quiet = () => undefined;
  const logger: Logger = {
    debug: quiet,
    info: (fields, message) => void lines.push({ level: 'info', fields, message }),
    warn: (fields, message) => void lines.push({ level: 'warn', fields, message }),
    error: quiet,
    child: () => logger,
  };
  const metrics = createMetrics();
  const observe = createHistoryObserver(logger, metrics);
  const of = { stream: 'dep_1', subject: 'dep_1' };
  observe([
    { ...of, type: 'deployment.running' },
    { ...of, type: 'instance.staged', subject: 'ins_1' },
    { ...of, type: 'instance.staged', subject: 'ins_2' },
    { ...of, type: 'task.running', subject: 'task_1', data: { type: 'build' } },
    { ...of, type: 'task.failed', subject: 'task_2', data: { not_run: true } },
  ]);
  observe([
    { ...of, type: 'deployment.failed', data: { message: 'No instance was healthy' } },
    { ...of, type: 'deployment.settled' },
  ]);
  expect(lines).toEqual([
    {
      level: 'info',
      fields: { deployment_id: 'dep_1', event: 'deployment.running' },
      message: 'The deployment runs',
    },
    {
      level: 'info',
      fields: {
        deployment_id: 'dep_1',
        subject: 'task_1',
        event: 'task.running',
        type: 'build',
      },
      message: 'A task of the deployment runs',
    },
    {
      level: 'warn',
      fields: {
        deployment_id: 'dep_1',
        event: 'deployment.failed',
        message: 'No instance was healthy',
      },
      message: 'The deployment failed',
    },
    {
      level: 'info',
      fields: { deployment_id: 'dep_1', event: 'deployment.settled' },
      message: 'The deployment is settled',
    },
  ]);
  const { text } = await metrics.exposition();
  expect(text).toContain('floy_events_total{type="instance.staged"} 2');
  expect(text).toContain('floy_events_total{type="deployment.failed"} 1');
});
