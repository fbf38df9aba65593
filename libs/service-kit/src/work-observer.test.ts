import { beforeEach, describe, expect, it } from '@jest/globals';
import { LeaseLostError, UnavailableError } from '@floy/domain';
import type { WorkObserver } from '@floy/messaging/observer';
import { createLogger } from './logger.js';
import { createMetrics, type Metrics } from './metrics.js';
import { createWorkObserver } from './work-observer.js';

const message = { message_id: 'msg_1', kind: 'run-task', task_id: 'tsk_1', deployment_id: 'dep_1' };

describe('what is told about work', () => {
  let lines: Record<string, unknown>[];
  let metrics: Metrics;
  let observer: WorkObserver;
  beforeEach(() => {
    lines = [];
    metrics = createMetrics();
    const destination = {
      write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
    };
    const logger = createLogger({
      service: 'test',
      level: 'debug',
      redact: (line) => line,
      destination,
    });
    observer = createWorkObserver(logger, metrics, ['run-task']);
  });
  const series = async (name: string) =>
    (await metrics.exposition()).text.split('\n').filter((line) => line.startsWith(name));

  it('is a line at debug for a good message, with all of its ids', async () => {
    observer.took(message, 0.25);
    observer.ended(message, { outcome: 'done', seconds: 1.5 });
    expect(lines).toMatchObject([{ ...message, level: 'debug', outcome: 'done', seconds: 1.5 }]);
    expect((await series('floy_messages_total')).sort()).toEqual([
      'floy_messages_total{kind="run-task",outcome="dead"} 0',
      'floy_messages_total{kind="run-task",outcome="done"} 1',
      'floy_messages_total{kind="run-task",outcome="error"} 0',
    ]);
    expect(await series('floy_message_waiting_seconds_sum')).toEqual([
      'floy_message_waiting_seconds_sum{kind="run-task"} 0.25',
    ]);
    expect(await series('floy_message_in_hand_seconds_sum')).toEqual([
      'floy_message_in_hand_seconds_sum{kind="run-task"} 1.5',
    ]);
  });

  it('is an error with its cause for what failed or was given up', () => {
    observer.ended(message, { outcome: 'error', seconds: 1, error: new Error('a defect') });
    observer.ended(message, { outcome: 'dead', seconds: 1, error: new Error('a defect') });
    expect(lines.map(({ level }) => level)).toEqual(['error', 'error']);
    expect(lines[0]).toMatchObject({ ...message, err: { message: 'a defect' } });
  });

  it('is no error for a lease that was lost', () => {
    observer.ended(message, { outcome: 'lost', seconds: 1, error: new LeaseLostError('gone') });
    expect(lines).toMatchObject([{ ...message, level: 'info', reason: 'gone' }]);
  });

  it('counts every outage and writes a line for the first of many', async () => {
    const error = new UnavailableError('The database cannot be reached right now');
    expect(await series('floy_outages_total')).toContain('floy_outages_total{seen_by="leases"} 0');
    for (let time = 0; time < 1000; time += 1) {
      observer.outage('run-task', error, message);
      observer.ended(message, { outcome: 'given-back', seconds: 0, error });
    }
    observer.outage('relay', error);
    expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { ...message, seen_by: 'run-task' },
      { seen_by: 'relay' },
    ]);
    expect(await series('floy_outages_total')).toContain(
      'floy_outages_total{seen_by="run-task"} 1000',
    );
  });

  it('is how much waits, and nothing of what waits no more', async () => {
    observer.backlog([{ kind: 'run-task', waiting: 3, oldestSeconds: 60 }]);
    expect(await series('floy_messages_waiting{')).toEqual([
      'floy_messages_waiting{kind="run-task"} 3',
    ]);
    expect(await series('floy_messages_oldest_waiting_seconds{')).toEqual([
      'floy_messages_oldest_waiting_seconds{kind="run-task"} 60',
    ]);
    observer.backlog([]);
    expect(await series('floy_messages_waiting{')).toEqual([]);
  });

  it('says from whom work was taken over, and why', async () => {
    observer.tookOver(message, 'one', 'dead');
    observer.holderDied('one', ['tsk_1']);
    expect(lines).toMatchObject([
      { ...message, level: 'warn', from: 'one', because: 'dead' },
      { level: 'warn', holder: 'one', leases: 1 },
    ]);
    expect(await series('floy_leases_taken_over_total')).toContain(
      'floy_leases_taken_over_total{because="dead"} 1',
    );
  });
});
