import { describe, expect, it } from '@jest/globals';
import type { Event } from '@floy/contracts';
import { differences, type Expectation, type Outcome } from './expectations.js';
import { eventLine, paintWith, picture } from './picture.js';
import { advance, noProgress, type Line, type Progress } from './progress.js';
import { environmentConfig } from './settings.js';

type Told = readonly [type: string, subject: string, data?: Record<string, unknown>];

const FAILING: readonly Told[] = [
  ['deployment.created', 'dep_1'],
  ['deployment.running', 'dep_1'],
  ['task.created', 'task_1', { type: 'build' }],
  ['task.created', 'task_2', { type: 'deploy' }],
  ['task.running', 'task_1', { type: 'build' }],
  ['task.success', 'task_1', { sha256: 'abc', reused: false }],
  ['release.created', 'rel_1', { task_id: 'task_2' }],
  ['instance.staging', 'ins_1', { instance_id: 'host-1', release_id: 'rel_1' }],
  ['instance.staging', 'ins_2', { instance_id: 'host-2', release_id: 'rel_1' }],
  ['instance.switching', 'ins_1', { instance_id: 'host-1', release_id: 'rel_1' }],
  ['instance.failed', 'ins_1', { instance_id: 'host-1', message: 'not\nhealthy\u001b[2J' }],
  ['instance.cancelled', 'ins_2', { message: 'Not reached' }],
  ['deployment.undoing', 'dep_1'],
  ['task.created', 'task_3', { type: 'deploy', undo_of: 'task_2' }],
  ['release.created', 'rel_2', { task_id: 'task_3' }],
  ['instance.switching', 'ins_3', { instance_id: 'host-1', release_id: 'rel_2' }],
  ['instance.succeeded', 'ins_3', { instance_id: 'host-1' }],
  ['instance.settled', 'ins_1', { verdict: 'reverted' }],
  ['deployment.rolled_back', 'dep_1', { message: 'x'.repeat(500) }],
];

function follow(told: readonly Told[]): { progress: Progress; lines: Line[] } {
  let progress = noProgress('v2');
  const lines = told.map(([type, subject, data = {}], index) => {
    const at = new Date(1_000_000 + index * 100).toISOString();
    const event: Event = {
      ...{ id: `evt_${index}`, seq: index + 1, stream: 'dep_1', actor: 'floy' },
      ...{ type, subject, at, data },
    };
    const next = advance(progress, event);
    ({ progress } = next);
    return next.line;
  });
  return { progress, lines };
}

describe('progress', () => {
  it('has a row for each command and host, with what was heard of it last', () => {
    const { progress } = follow(FAILING.slice(0, 10));
    expect(progress.rows).toEqual([
      { name: 'build', text: 'success', mood: 'good' },
      { name: 'host-1', text: 'switching to v2', mood: 'busy' },
      { name: 'host-2', text: 'receiving v2', mood: 'busy' },
    ]);
    expect(progress.deployment).toEqual({ text: 'running', mood: 'busy' });
  });

  it('tells the return to what ran before from the release itself', () => {
    const { progress, lines } = follow(FAILING);
    expect(progress.rows).toContainEqual({
      ...{ name: 'host-1', text: 'healthy on what ran before', mood: 'good' },
    });
    expect(lines.find(({ who }) => who === 'undo')?.text).toBe('created');
    expect(progress.deployment.mood).toBe('bad');
  });

  it('keeps why a host failed, also when it is healthy again', () => {
    expect([...follow(FAILING).progress.failures.keys()]).toEqual(['host-1']);
  });

  it('names a subject by what an earlier event called it', () => {
    const line = follow(FAILING).lines.find(({ text }) => text.startsWith('left as it was'));
    expect(line?.who).toBe('host-2');
  });

  it('says every event in one line of at most some length, without control characters', () => {
    const { lines } = follow([...FAILING, ['something.new', 'x_1']]);
    expect(lines).toHaveLength(FAILING.length + 1);
    for (const line of lines) {
      const text = eventLine(line, paintWith(false));
      expect(text).not.toMatch(/\p{Cc}/u);
      expect(text.length).toBeLessThan(160);
    }
  });
});

describe('the picture', () => {
  it('fits the terminal, so that it can be drawn over', () => {
    const { progress } = follow(FAILING);
    for (const columns of [30, 80]) {
      for (const line of picture(progress, 12_345, columns, paintWith(false))) {
        expect(line.length).toBeLessThanOrEqual(columns);
      }
    }
  });

  it('has control codes only where it is painted', () => {
    const { progress } = follow(FAILING);
    expect(picture(progress, 0, 80, paintWith(true)).join('')).toContain('\u001b[32m');
    expect(picture(progress, 0, 80, paintWith(false)).join('')).not.toContain('\u001b');
  });
});

describe('differences', () => {
  const success: Expectation = { version: 'v1', status: 'success', live: 'v1' };
  const broken: Expectation = {
    ...{ version: 'v2', status: 'rolled_back', live: 'v1', failure: /answered 500/ },
  };
  const seen = (changes: Partial<Outcome> = {}): Outcome => ({
    ...{ status: 'success', message: '', failures: new Map() },
    sightings: ['host-1', 'host-2'].map((name) => ({
      ...{ name, url: 'http://127.0.0.1/', greeting: 'Hello' },
      ...{ floySays: 'v1', hostSays: 'v1' },
    })),
    ...changes,
  });

  it('are none where all is as it should be', () => {
    expect(differences(success, seen())).toEqual([]);
    const failures = new Map([['host-1', '/healthz answered 500']]);
    expect(differences(broken, seen({ status: 'rolled_back', failures }))).toEqual([]);
  });

  it('name a wrong end, a wrong version on either side, and a failure that nobody expected', () => {
    const [first, second] = seen().sightings;
    const sightings = [
      { ...first!, hostSays: 'v0' },
      { ...second!, floySays: 'nothing healthy' },
    ];
    const failures = new Map([['host-1', 'no disk']]);
    expect(differences(success, seen({ status: 'failed', sightings, failures }))).toEqual([
      'the deployment of v1 ended as failed instead of success',
      'v1 failed on host-1: no disk',
      'host-1 answers v0 instead of v1',
      'Floy says nothing healthy of host-2 instead of v1',
    ]);
  });

  it('notice a version that failed for another reason than its health', () => {
    const failures = new Map([['host-1', 'connection refused']]);
    const found = differences(broken, seen({ status: 'rolled_back', failures }));
    expect(found).toEqual(['no host refused v2 for its health (host-1: connection refused)']);
    expect(differences(success, seen({ sightings: [] }))).toEqual(['there is no host']);
  });
});

describe('the environment', () => {
  it('has a path of its own for each host, its key pinned, one host at a time', () => {
    const host = { sshPort: 1, servicePort: 2, hostKeyFingerprint: 'SHA256:x' };
    const config = environmentConfig({
      hosts: [
        { name: 'host-1', ...host },
        { name: 'host-2', ...host },
      ],
      ...{ user: 'me', privateKey: 'key', folder: '/demo', node: "/it's/node" },
    });
    expect(config).toMatchObject({
      ...{ deploy_path: '/demo/{{instance_id}}/greeter', batch_size: 1 },
      ...{ host_key_policy: 'strict', host_keys: ['SHA256:x', 'SHA256:x'] },
      restart_command: "sh service.sh restart '/it'\\''s/node' {{port}} {{instance_id}}",
    });
  });
});
