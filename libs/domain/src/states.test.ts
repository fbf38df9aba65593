import { describe, expect, it } from '@jest/globals';
import { isFinal, statesBefore, transitions, type Machine, type StatusOf } from './states.js';

describe('the transition table', () => {
  it('leaves final states only by the decisions that law 3 names', () => {
    const left = (Object.keys(transitions) as Machine[]).flatMap((machine) =>
      Object.entries(transitions[machine])
        .filter(([from]) => isFinal(machine, from as StatusOf<typeof machine>))
        .flatMap(([from, tos]) =>
          (tos as readonly string[]).map((to) => `${machine} ${from} → ${to}`),
        ),
    );
    expect(left).toEqual([
      'deployment success → rolled_back',
      'deployment failed → pending',
      'deployment rolled_back → pending',
      'workflow failed → pending',
      'workflow cancelled → pending',
      'task success → pending',
      'task failed → pending',
    ]);
  });

  it('knows where a state is reached from', () => {
    expect(statesBefore('deployment', 'rolled_back')).toEqual(['running', 'success']);
    expect(statesBefore('instance', 'switching')).toEqual(['staged']);
  });
});
