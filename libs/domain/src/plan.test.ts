import { describe, expect, it } from '@jest/globals';
import { planTasks, type PlanApplication } from './plan.js';

const application = (name: string, more: Partial<PlanApplication> = {}): PlanApplication => ({
  id: name,
  name,
  builds: true,
  tests: false,
  requires: [],
  ...more,
});

describe('planTasks', () => {
  it('builds, tests and deploys, each behind the other', () => {
    const tasks = planTasks([application('api', { tests: true })], { reuses: false });
    expect(tasks.map(({ type, dependsOn }) => [type, dependsOn])).toEqual([
      ['build', []],
      ['test', ['api build']],
      ['deploy', ['api test']],
    ]);
  });

  it('deploys what is required first, whatever the order asked for', () => {
    const tasks = planTasks([application('web', { requires: ['api'] }), application('api')], {
      reuses: false,
    });
    expect(tasks.map(({ key }) => key)).toEqual([
      'api build',
      'api deploy',
      'web build',
      'web deploy',
    ]);
    expect(tasks[3]?.dependsOn).toEqual(['web build', 'api deploy']);
  });

  it('leaves build and test out of a rollback', () => {
    const tasks = planTasks([application('api', { tests: true })], { reuses: true });
    expect(tasks.map(({ type, dependsOn }) => [type, dependsOn])).toEqual([['deploy', []]]);
  });

  it('names a circle', () => {
    const circle = [application('a', { requires: ['b'] }), application('b', { requires: ['a'] })];
    expect(() => planTasks(circle, { reuses: false })).toThrow('a → b → a');
  });
});
